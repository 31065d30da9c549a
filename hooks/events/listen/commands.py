"""The options of `hooks listen`."""

from typing import Annotated

import typer

from hooks.completion import events
from hooks.options import (
    AsJson,
    AsJsonLines,
    Filter,
    Target,
    Types,
    globs,
    moment,
    takes_target,
)

app = typer.Typer()


@app.callback(invoke_without_command=True)
@takes_target
def listen(
    context: typer.Context,
    forward_to: Annotated[
        str, typer.Option(metavar="URL", help="Where each event is posted, as Pub/Sub would.")
    ] = "",
    event_types: Types = None,
    message_filter: Filter = "",
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="First those received since then: RFC 3339, or e.g. -1h."
        ),
    ] = "",
    count: Annotated[
        int, typer.Option(help="End after N accepted events; 0: at Ctrl-C.", min=0)
    ] = 0,
    *,
    target: Target,
    as_json: AsJsonLines = False,
) -> None:
    """Send the events of a stack or a deployment to a URL, as a push subscription does.

    An event is acknowledged once the URL answers with success, and is sent again otherwise. On a
    terminal, Enter sends the chosen one again, and so does `hooks listen resend ID`. The temporary
    subscription is deleted at Ctrl-C, or expires after a day. The bearer token has the URL as its
    audience, and is not signed by Google.

    Example: hooks listen --forward-to http://127.0.0.1:8080/events --type 'batch.*' --since -1h
    """
    if context.invoked_subcommand:
        return
    from hooks.errors import UsageError
    from hooks.events.listen.run import Options
    from hooks.events.listen.run import listen as run
    from hooks.interrupts import run_until_stopped

    if not forward_to:
        raise UsageError("say where to: --forward-to http://127.0.0.1:8080/events")
    options = Options(
        url=forward_to,
        types=globs(event_types),
        message_filter=message_filter,
        since=moment("--since", since),
        count=count,
        as_json=as_json,
    )
    run_until_stopped(run(target.find(), options))


@app.command()
def resend(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The id of an event or a message.", autocompletion=events
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Send an event again that `hooks listen` has sent from this directory, to the same URL.

    The exit status is 0 if the URL answers with success.

    Example: hooks listen resend msg_941e4600-8ace-4ec9-bb16-9c14b717d082
    """
    import asyncio

    from hooks.events.listen.run import resend as run

    if not asyncio.run(run(identifier, json=as_json)):
        raise typer.Exit(1)
