"""The options of `hooks doctor`."""

import os
from typing import Annotated

import typer

from hooks.options import AsJson, Target, takes_target

app = typer.Typer()


@app.command()
@takes_target
def doctor(
    url: Annotated[
        str, typer.Option(help="The webhook's address, if it is not the deployment's.")
    ] = "",
    wait: Annotated[float, typer.Option(min=1, max=600, help="Seconds that a ping may take.")] = 60,
    ping_type: Annotated[
        str, typer.Option(metavar="GLOB", help="The type of Gemini's pings.")
    ] = "*ping*",
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Check a deployment from outside, and say what to do about each failure.

    A deployment needs REGISTRAR_IDENTITY_TOKEN, to ask its registrar, or GEMINI_API_KEY. Sends one
    forged delivery and one ping. The exit status is 1 unless every check holds.
    """
    import asyncio

    from hooks.doctor import actions

    options = actions.Options(url=url, wait=wait, ping_type=ping_type)
    findings = asyncio.run(actions.examine(target.find(), options, os.environ))
    actions.show(findings, json=as_json)
    if not actions.well(findings):
        raise typer.Exit(1)
