"""`hooks events`: the ledger as a log, and replay."""

from pathlib import Path
from typing import Annotated

import typer

from hooks.options import AsJson, Payload, Target, Type, moment, takes_target

app = typer.Typer(
    no_args_is_help=True, help="Events: what became of each, and sending them out once more."
)

Since = Annotated[
    str, typer.Option(metavar="TIME", help="Received from then on: RFC 3339, or e.g. -2h.")
]
Until = Annotated[str, typer.Option(metavar="TIME", help="Received before then.")]


@app.command("list")
@takes_target
def list_(
    identifier: Annotated[str, typer.Option("--id", help="This event, and its replays.")] = "",
    type_glob: Type = "",
    subject: Annotated[str, typer.Option(help="The job's id.")] = "",
    state: Annotated[str, typer.Option(help="claimed, done or dead-lettered.")] = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show so many.")] = 50,
    scan: Annotated[
        int, typer.Option(min=1, help="Read at most so many documents, which cost money.")
    ] = 10_000,
    payload: Payload = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """List what the ledger says, newest first.

    Payloads come from the retained messages of the ingress topic, as long as it has them.
    """
    import asyncio

    from hooks.errors import UsageError
    from hooks.events import actions as events
    from hooks.events.ledger import STATES, Wanted

    if state and state not in STATES:
        raise UsageError(f"--state takes one of {', '.join(STATES)}, not {state!r}")
    wanted = Wanted(
        id=identifier,
        type=type_glob,
        subject=subject,
        state=state,
        since=moment("--since", since),
        until=moment("--until", until),
    )
    asyncio.run(
        events.show_list(
            target.find(), wanted, limit=limit, most=scan, payload=payload, json=as_json
        )
    )


@app.command()
@takes_target
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The webhook id.")],
    payload: Payload = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Show all that the ledger says of one event, its replays included."""
    import asyncio

    from hooks.events import actions as events

    asyncio.run(events.show_one(target.find(), identifier, payload=payload, json=as_json))


@app.command()
@takes_target
def replay(
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="This event; may be given again.")
    ] = None,
    type_glob: Type = "",
    since: Since = "",
    until: Until = "",
    route: Annotated[
        list[str] | None,
        typer.Option(help="Only to this route (events: the events topic); may be given again."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="From the archive's Avro files in this directory, not from the topic."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="At most so many messages a second; 0: no bound.")
    ] = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Where to note how far it got; .hooks/replay-….json.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Go on with a replay that was stopped.")
    ] = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Send events out again, from what the ingress topic has retained or the archive has.

    Subscribers see the attribute `replay`, and the same `ce-id` as before.
    """
    import asyncio

    from hooks.errors import UsageError
    from hooks.events import actions as events

    selecting = bool(ids or type_glob or since or until)
    if resume and (selecting or route or archive or checkpoint or dry_run):
        raise UsageError("--resume takes everything from its file; leave the other options out")
    if not resume and not selecting:
        raise UsageError("say which: --id, --type, --since or --until (or --resume)")
    wanted = events.Replay(
        ids=ids or [],
        type=type_glob,
        since=moment("--since", since),
        until=moment("--until", until),
        routes=route or [],
        archive=archive,
        rate=rate,
        dry_run=dry_run,
        checkpoint=checkpoint,
        resume=resume,
    )
    if not asyncio.run(events.replay(target.find(), wanted, json=as_json)):
        raise typer.Exit(1)
