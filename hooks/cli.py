"""The command `hooks`, put together from its groups.

The groups' `commands` modules import nothing heavy, so that `hooks --help` is quick: each command
imports what it needs when it is called.
"""

import gc
import logging
import os
import sys
from typing import Annotated

import typer

from hooks.dlq import commands as dlq
from hooks.doctor import commands as doctor
from hooks.events import commands as events
from hooks.events import recover_commands as recover
from hooks.events.listen import commands as listen
from hooks.jobs import commands as jobs
from hooks.laptop import commands as laptop
from hooks.verify import commands as verify
from hooks.webhook import commands as webhook
from hooks.why import commands as why
from localcloud.core.errors import LocalCloudError

app = typer.Typer(
    name="hooks",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import entry_points

        # Of the installed distribution, whatever its name is, that provides this command.
        command = next(iter(entry_points(group="console_scripts", name="hooks")), None)
        version = command.dist.version if command and command.dist else "(not installed)"
        typer.echo(f"hooks {version}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Gemini webhooks on Google Cloud: a stack on this machine, and an operator's tools."""


app.add_typer(laptop.app)
app.add_typer(doctor.app)
app.add_typer(why.app)
app.add_typer(dlq.app, name="dlq")
app.add_typer(events.app, name="events")
app.add_typer(listen.app, name="listen")
app.add_typer(recover.app)
app.add_typer(verify.app)
app.add_typer(webhook.app, name="webhook")
app.add_typer(jobs.app, name="jobs")


def main() -> None:
    """Run the command; show an error of ours as one line, and exit with its status."""
    # A command frees little of what it loads, and the collector would look at it again and again.
    gc.set_threshold(100_000, 50, 50)
    # gRPC logs every connection that breaks when an emulator stops.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # Google's subscriber logs tracebacks of its threads, whose errors also reach the command.
    logging.getLogger("google").addHandler(logging.NullHandler())
    try:
        app()
    except LocalCloudError as error:
        from hooks.console import problem

        problem(str(error))
        sys.exit(error.exit_code)
