"""The command `hooks`: each of its commands is a module of `hooks.commands`.

Those modules are light, so that `hooks --help` is quick: what a command needs, it imports when it
is called.
"""

import os
import sys

import typer

from hooks.dlq import commands as dlq
from hooks.doctor import commands as doctor
from hooks.events import commands as events
from hooks.laptop import commands_demo as demo
from hooks.laptop import commands_deploy as deploy
from hooks.laptop import commands_dev as dev
from hooks.laptop import commands_send as send
from hooks.laptop import commands_tail as tail
from hooks.webhook import commands as webhook
from localcloud.core.errors import LocalCloudError

app = typer.Typer(
    name="hooks",
    help="Gemini webhooks, relayed: the laptop stack, and an operator's tools.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("deploy")(deploy.deploy)
app.command("dev")(dev.dev)
app.add_typer(dlq.app, name="dlq")
app.command("doctor")(doctor.doctor)
app.add_typer(events.app, name="events")
app.command("send")(send.send)
app.command("tail")(tail.tail)
app.add_typer(webhook.app, name="webhook")


def main() -> None:
    """Run the command; an error of ours is shown as one line, and decides the exit status."""
    # gRPC remarks on every connection that an emulator's end cuts off.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        app()
    except LocalCloudError as error:
        from hooks.console import problem

        problem(str(error))
        sys.exit(error.exit_code)
