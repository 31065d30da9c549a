"""The options of `hooks dlq`."""

from typing import TYPE_CHECKING, Annotated

import typer

from hooks import completion
from hooks.options import AsJson, Payload, Target, Type, Yes, takes_target

if TYPE_CHECKING:
    from hooks.deadletter import Selection

app = typer.Typer(
    no_args_is_help=True,
    help="Dead letters: list, show, replay, purge. Listing and showing consume none.",
)

Subscriber = Annotated[
    str,
    typer.Option(
        help="A subscriber, instead of the dispatcher: of Terraform or `hooks subscribe`.",
        autocompletion=completion.subscriptions,
    ),
]
Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID...", help="Ids of messages or events.", autocompletion=completion.events
    ),
]
Reason = Annotated[str, typer.Option(help="E.g. attempts-exhausted, not-json, publish-refused.")]
All = Annotated[bool, typer.Option("--all", help="All dead letters.")]


@app.command("list")
@takes_target
def list_(
    subscriber: Subscriber = "",
    reason: Reason = "",
    type_glob: Type = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum to show.")] = 100,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first, with reason, delivery attempts and age."""
    import asyncio

    from hooks.deadletter import Selection
    from hooks.dlq import actions

    wanted = Selection(reason=reason, type=type_glob)
    asyncio.run(actions.show_list(target.find(), subscriber, wanted, limit=limit, json=as_json))


@app.command()
@takes_target
def show(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The id of a message or an event.",
            autocompletion=completion.events,
        ),
    ],
    subscriber: Subscriber = "",
    payload: Payload = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter in full, with its event's entry in the ledger."""
    import asyncio

    from hooks.dlq import actions

    asyncio.run(
        actions.show_one(target.find(), subscriber, identifier, payload=payload, json=as_json)
    )


@app.command()
@takes_target
def replay(
    ids: Ids = None,
    reason: Reason = "",
    type_glob: Type = "",
    everything: All = False,
    subscriber: Subscriber = "",
    limit: Annotated[int, typer.Option(min=1, help="Maximum to replay.")] = 1_000_000,
    rate: Annotated[float, typer.Option(min=0, help="Maximum per second; 0: no limit.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Also replay those that were replayed three times.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be replayed, and replay nothing.")
    ] = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Publish dead letters to their topic again, so that the failed step is retried.

    The dispatcher reads the ledger first: it drops an event that is fanned out, and publishes a
    partly fanned-out one to the missing routes only. The exit status is 1 if a dead letter is left.
    """
    import asyncio

    from hooks.dlq import actions

    wanted = _selection(ids, reason, type_glob, everything=everything)
    how = actions.Replay(limit=limit, rate=rate, force=force, dry_run=dry_run)
    if not asyncio.run(actions.replay(target.find(), subscriber, wanted, how, json=as_json)):
        raise typer.Exit(1)


@app.command()
@takes_target
def purge(
    ids: Ids = None,
    reason: Reason = "",
    type_glob: Type = "",
    everything: All = False,
    subscriber: Subscriber = "",
    yes: Yes = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters; this cannot be undone.

    The exit status is 1 if an id has no dead letter.
    """
    import asyncio

    from hooks.dlq import actions

    wanted = _selection(ids, reason, type_glob, everything=everything)
    purged = actions.purge_selected(target.find(), subscriber, wanted, yes=yes, json=as_json)
    if not asyncio.run(purged):
        raise typer.Exit(1)


def _selection(
    ids: list[str] | None, reason: str, type_glob: str, *, everything: bool
) -> "Selection":
    from hooks.deadletter import Selection
    from hooks.errors import UsageError

    wanted = Selection(
        ids=frozenset(ids or ()), reason=reason, type=type_glob, everything=everything
    )
    if wanted.empty:
        raise UsageError("select dead letters: give ids, --reason, --type, or --all")
    return wanted
