"""`hooks send`: has the simulator send a delivery to the stack that runs beside."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hooks.options import AsJson

Scheme = Literal["v1", "v1a", "jwt", "mixed"]


def send(
    event_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="Any type, e.g. batch.succeeded.")
    ],
    scheme: Annotated[
        Scheme,
        typer.Option(help="v1: the registered webhook; v1a and jwt: a dynamic one; mixed: a list."),
    ] = "v1",
    user_metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="May be given again.")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="A file to send as the whole body; - is standard input.")
    ] = None,
    times: Annotated[int, typer.Option(help="Send the same event so often.", min=1, max=1000)] = 1,
    forge: Annotated[
        str, typer.Option(metavar="KIND", help="Send what must be refused; ? lists the kinds.")
    ] = "",
    at: Annotated[
        str,
        typer.Option(metavar="TIME", help="Timestamp: RFC 3339, Unix seconds, or e.g. -10m."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Send an event, as Gemini would, to the stack that `hooks dev` runs.

    The exit status is 0 if the receiver took it, or refused what it must refuse (--forge).
    """
    from hooks.laptop import send as sending

    sent = sending.send(
        event_type,
        scheme,
        user_metadata=user_metadata or [],
        body=body,
        times=times,
        forge=forge,
        at=at,
    )
    sending.show(sent, as_json=as_json)
    if not sent.as_wanted:
        raise typer.Exit(1)
