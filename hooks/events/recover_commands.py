"""The options of `hooks recover`."""

from typing import Annotated

import typer

from hooks.completion import subscriptions
from hooks.options import AsJson, Target, Yes, moment, takes_target

app = typer.Typer()


@app.command()
@takes_target
def recover(
    subscriber: Annotated[
        str,
        typer.Argument(
            metavar="SUBSCRIBER",
            help="One that Terraform or `hooks subscribe` made, or a subscription's full name.",
            autocompletion=subscriptions,
        ),
    ],
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Since when: RFC 3339, or e.g. -2h. Required.")
    ] = "",
    rate: Annotated[
        float, typer.Option(min=0, help="Maximum of messages per second; 0: no limit.")
    ] = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how, and send nothing.")] = False,
    yes: Yes = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Send one subscriber alone the events that it missed; the others hear nothing.

    Its subscription is sought back if its messages are retained. Else the events come from the
    ingress topic, marked with the attribute `replay`.

    Example: hooks recover billing --since -2h --outputs deployment.json
    """
    import asyncio
    from datetime import UTC, datetime

    from hooks.errors import UsageError
    from hooks.events.recover import Options
    from hooks.events.recover import recover as run

    start = moment("--since", since)
    if start is None:
        raise UsageError("say since when: --since -2h, or --since 2026-01-22T12:00:00Z")
    if start > datetime.now(UTC):
        # A seek to the future drops all that a subscription holds.
        raise UsageError(f"--since {since} is in the future; say a time in the past, such as -2h")
    options = Options(subscriber=subscriber, since=start, rate=rate, dry_run=dry_run, yes=yes)
    if not asyncio.run(run(target.find(), options, json=as_json)):
        raise typer.Exit(1)
