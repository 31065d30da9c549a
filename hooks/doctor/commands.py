"""The options of `hooks doctor`."""

import os
from typing import Annotated

import typer

from hooks.options import AsJson, Target, takes_target

app = typer.Typer()


@app.command()
@takes_target
def doctor(
    region: Annotated[
        str,
        typer.Option(
            metavar="REGION", help="With --project: check before an apply into this region."
        ),
    ] = "",
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
    forged delivery and one ping. The exit status is 1 if a check fails.

    With --region, checks what would make an apply fail: billing, your permissions, services, their
    agents, organisation policies, quotas, and what an earlier deployment left. Changes nothing.

    Example: hooks doctor --project my-project --region europe-west1
    """
    import asyncio

    from hooks.doctor import actions

    if region:
        before = actions.examine_before(target, region)
        actions.show(findings := asyncio.run(before), json=as_json)
        if not actions.well(findings):
            raise typer.Exit(1)
        return
    options = actions.Options(url=url, wait=wait, ping_type=ping_type)
    findings = asyncio.run(actions.examine(target.find(), options, os.environ))
    actions.show(findings, json=as_json)
    if not actions.well(findings):
        raise typer.Exit(1)
