"""The options of `hooks why`."""

import os
from typing import Annotated

import typer

from hooks.completion import events
from hooks.options import AsJson, Target, takes_target

app = typer.Typer()


@app.command()
@takes_target
def why(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID|SUBJECT",
            help="A webhook id, or the id of a job or file.",
            autocompletion=events,
        ),
    ],
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Tell what became of one event or job, and why nobody heard of it.

    Prints one timeline from Gemini to every subscription, the likely cause, and the command to run
    next. Takes no message from any subscription. With REGISTRAR_IDENTITY_TOKEN or GEMINI_API_KEY it
    also asks for the webhook; with GEMINI_API_KEY for the job. The exit status is 1 unless the
    event has been fanned out and acknowledged.

    Example: hooks why batches/abc123
    """
    import asyncio

    from hooks.why import actions

    if not asyncio.run(actions.explain(target.find(), wanted, os.environ, json=as_json)):
        raise typer.Exit(1)
