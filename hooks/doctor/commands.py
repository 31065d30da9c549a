"""`hooks doctor`: checks a deployment from outside."""

import os
from typing import Annotated

import typer

from hooks.options import AsJson, Target, takes_target


@takes_target
def doctor(
    url: Annotated[str, typer.Option(help="Where the webhook is, if not where it should.")] = "",
    wait: Annotated[
        float, typer.Option(min=1, max=600, help="How long a ping may take, in seconds.")
    ] = 60,
    ping_type: Annotated[
        str, typer.Option(metavar="GLOB", help="The type that Gemini gives its pings.")
    ] = "*ping*",
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Check a deployment from outside, and say what to do about each failure.

    Gemini is asked with GEMINI_API_KEY, or the registrar with REGISTRAR_IDENTITY_TOKEN. One forged
    delivery and one ping are sent. The exit status is 1 unless all is well.
    """
    import asyncio

    from hooks.doctor import actions as operate

    options = operate.Options(url=url, wait=wait, ping_type=ping_type)
    findings = asyncio.run(operate.examine(target.find(), options, os.environ))
    operate.show(findings, json=as_json)
    if not operate.well(findings):
        raise typer.Exit(1)
