"""The options of `hooks verify`."""

from pathlib import Path
from typing import Annotated

import typer

from hooks.options import AsJson, Target, takes_target

app = typer.Typer()


@app.command()
@takes_target
def verify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The body, byte for byte; -: standard input.")
    ],
    headers: Annotated[
        Path | None,
        typer.Option(help="A file with the headers: `name: value` lines, or a JSON object."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="NAME:VALUE", help="A header; repeatable."),
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="TIME", help="When it arrived: RFC 3339, or e.g. -10m; now.")
    ] = "",
    schemes: Annotated[
        str, typer.Option(help="What the receiver accepts; of a stack here: all, else v1.")
    ] = "",
    secret_file: Annotated[
        Path | None, typer.Option(help="Signing secrets, one a line; or WEBHOOK_SIGNING_SECRET.")
    ] = None,
    jwks: Annotated[
        str, typer.Option(metavar="URL|FILE", help="Public keys, for v1a and jwt.")
    ] = "",
    audience: Annotated[
        list[str] | None, typer.Option(help="Accepted audiences of a jwt; repeatable.")
    ] = None,
    tolerance: Annotated[
        int, typer.Option(min=1, help="Seconds between timestamp and arrival.")
    ] = 300,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Say whether a captured delivery verifies, by which scheme, and if not, why, step by step.

    The keys are those of the stack in this directory, of a deployment, or of the options. The exit
    status is 0 if the receiver would accept it.

    Example: hooks verify body.json --headers headers.txt --at 2026-01-22T12:00:00Z
    """
    import asyncio

    from hooks.verify import actions

    options = actions.Options(
        file=file,
        headers=headers,
        header=header or [],
        at=at,
        schemes=schemes,
        secret_file=secret_file,
        jwks=jwks,
        audiences=audience or [],
        tolerance=tolerance,
    )
    if not asyncio.run(actions.verify(target.find, options, json=as_json)):
        raise typer.Exit(1)
