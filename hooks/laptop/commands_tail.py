"""`hooks tail`: shows events as they come."""

from typing import Annotated

import typer

from hooks.options import AsJsonLines


def tail(
    event_type: Annotated[
        str, typer.Option("--type", metavar="GLOB", help="Only these types, e.g. 'batch.*'.")
    ] = "*",
    message_filter: Annotated[
        str,
        typer.Option("--filter", help='In Pub/Sub\'s syntax, e.g. attributes.scheme = "v1a".'),
    ] = "",
    topic: Annotated[
        str, typer.Option(help="events, ingress, dead-letter, or the name of a route.")
    ] = "events",
    count: Annotated[int, typer.Option(help="End after so many; 0: at Ctrl-C.", min=0)] = 0,
    as_json: AsJsonLines = False,
) -> None:
    """Show the events of the stack that `hooks dev` runs, as they come, until Ctrl-C.

    It listens with a subscription of its own, which is deleted at the end.
    """
    from hooks.laptop import tail as tailing
    from hooks.running import run_until_stopped

    run_until_stopped(tailing.tail(topic, event_type, message_filter, count=count, as_json=as_json))
