"""`hooks dlq`: the dead letters."""

from typing import TYPE_CHECKING, Annotated

import typer

from hooks.options import AsJson, Payload, Target, Type, takes_target

if TYPE_CHECKING:
    from hooks.dlq.deadletters import Selection

app = typer.Typer(
    no_args_is_help=True,
    help="Dead letters: what could not be dispatched. Looking at them takes none away.",
)

Subscriber = Annotated[
    str, typer.Option(help="The dead letters of a subscriber that Terraform made, by its name.")
]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID...", help="Ids of messages or of events.")
]
Reason = Annotated[str, typer.Option(help="E.g. attempts-exhausted, not-json, publish-refused.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@app.command("list")
@takes_target
def list_(
    subscriber: Subscriber = "",
    reason: Reason = "",
    type_glob: Type = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show so many.")] = 100,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first: why, after how many attempts, for how long."""
    import asyncio

    from hooks.dlq import actions as dlq
    from hooks.dlq.deadletters import Selection

    wanted = Selection(reason=reason, type=type_glob)
    asyncio.run(dlq.show_list(target.find(), subscriber, wanted, limit=limit, json=as_json))


@app.command()
@takes_target
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Of a message or of an event.")],
    subscriber: Subscriber = "",
    payload: Payload = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of a dead letter, and what the ledger says of its event."""
    import asyncio

    from hooks.dlq import actions as dlq

    asyncio.run(dlq.show_one(target.find(), subscriber, identifier, payload=payload, json=as_json))


@app.command()
@takes_target
def replay(
    ids: Ids = None,
    reason: Reason = "",
    type_glob: Type = "",
    everything: All = False,
    subscriber: Subscriber = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1_000_000,
    rate: Annotated[float, typer.Option(min=0, help="At most so many a second; 0: no bound.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Also those that were replayed too often.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to the step that failed.

    The dispatcher looks into the ledger first: what was fanned out already is dropped, what was
    fanned out in part goes on from there. The exit status is 1 if some had to stay.
    """
    import asyncio

    from hooks.dlq import actions as dlq

    wanted = _selection(ids, reason, type_glob, everything=everything)
    how = dlq.Replay(limit=limit, rate=rate, force=force, dry_run=dry_run)
    if not asyncio.run(dlq.replay(target.find(), subscriber, wanted, how, json=as_json)):
        raise typer.Exit(1)


@app.command()
@takes_target
def purge(
    ids: Ids = None,
    reason: Reason = "",
    type_glob: Type = "",
    everything: All = False,
    subscriber: Subscriber = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for ever."""
    import asyncio

    from hooks.dlq import actions as dlq

    wanted = _selection(ids, reason, type_glob, everything=everything)
    asyncio.run(dlq.purge_selected(target.find(), subscriber, wanted, yes=yes, json=as_json))


def _selection(
    ids: list[str] | None, reason: str, type_glob: str, *, everything: bool
) -> "Selection":
    from hooks.dlq.deadletters import Selection
    from hooks.errors import UsageError

    wanted = Selection(
        ids=frozenset(ids or ()), reason=reason, type=type_glob, everything=everything
    )
    if wanted.empty:
        raise UsageError("say which: ids, --reason, --type, or --all")
    return wanted
