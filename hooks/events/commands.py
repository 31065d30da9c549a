"""The options of `hooks events`."""

from pathlib import Path
from typing import Annotated

import typer

from hooks import completion
from hooks.options import AsJson, Payload, Target, Type, moment, takes_target

app = typer.Typer(
    no_args_is_help=True, help="Events: list and show what the ledger records, and replay."
)

Since = Annotated[
    str, typer.Option(metavar="TIME", help="Received at or after this time: RFC 3339, or e.g. -2h.")
]
Until = Annotated[str, typer.Option(metavar="TIME", help="Received before this time.")]


@app.command("list")
@takes_target
def list_(
    identifier: Annotated[
        str,
        typer.Option("--id", help="This event and its replays.", autocompletion=completion.events),
    ] = "",
    type_glob: Type = "",
    subject: Annotated[str, typer.Option(help="The job's id.")] = "",
    state: Annotated[str, typer.Option(help="claimed, done or dead-lettered.")] = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum to show.")] = 50,
    scan: Annotated[
        int, typer.Option(min=1, help="Maximum of documents or messages to read; reads are billed.")
    ] = 10_000,
    payload: Payload = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """List events from the ledger, newest first.

    With --id or --subject, an event that is stored and not dispatched yet is listed too.

    Payloads come from the messages that the ingress topic retains.
    """
    import asyncio

    from hooks.errors import UsageError
    from hooks.events import actions
    from hooks.ledger import STATES, Wanted

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
        actions.show_list(
            target.find(), wanted, limit=limit, most=scan, payload=payload, json=as_json
        )
    )


@app.command()
@takes_target
def show(
    identifier: Annotated[
        str,
        typer.Argument(metavar="ID", help="The webhook id.", autocompletion=completion.events),
    ],
    payload: Payload = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Show the ledger's entries of one event and its replays."""
    import asyncio

    from hooks.events import actions

    asyncio.run(actions.show_one(target.find(), identifier, payload=payload, json=as_json))


@app.command()
@takes_target
def replay(
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", help="This event; repeatable.", autocompletion=completion.events),
    ] = None,
    type_glob: Type = "",
    since: Since = "",
    until: Until = "",
    route: Annotated[
        list[str] | None,
        typer.Option(help="Only to this route (events: the events topic); repeatable."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="A directory with the archive's Avro files, instead of the topic."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="Maximum of messages per second; 0: no limit.")
    ] = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and replay nothing.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="The file that records progress; .hooks/replay-….json.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Resume an interrupted replay.")
    ] = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Publish events again, from the retained messages of the ingress topic or from the archive.

    Subscribers see the attribute `replay`, and the same `ce-id` as before. The exit status is 1 if
    an event that --id names is not retained.
    """
    import asyncio

    from hooks.errors import UsageError
    from hooks.events import actions

    selecting = bool(ids or type_glob or since or until)
    if resume and (selecting or route or archive or checkpoint or dry_run):
        raise UsageError("--resume takes every other option from its file; leave them out")
    if not resume and not selecting:
        raise UsageError("select events: give --id, --type, --since or --until (or --resume)")
    wanted = actions.Replay(
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
    if not asyncio.run(actions.replay(target.find(), wanted, json=as_json)):
        raise typer.Exit(1)
