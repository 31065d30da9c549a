"""Options that several commands share."""

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hooks.completion import type_globs

if TYPE_CHECKING:
    from datetime import datetime

    from hooks.deployment import Deployment

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
Type = Annotated[
    str,
    typer.Option("--type", metavar="GLOB", help="E.g. 'batch.*'.", autocompletion=type_globs),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="GLOB,…",
        help="Only these types, e.g. 'batch.*'; repeatable.",
        autocompletion=type_globs,
    ),
]
Filter = Annotated[
    str, typer.Option("--filter", help='In Pub/Sub\'s syntax, e.g. attributes.scheme = "v1a".')
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Payload = Annotated[bool, typer.Option("--payload", help="Also show payloads.")]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The options that name the deployment to act on; without them, the stack in this directory."""

    outputs: Annotated[
        Path | None,
        typer.Option(
            envvar="HOOKS_OUTPUTS",
            help="A deployment, by the file that `terraform output -json` wrote. "
            "Default: the stack that runs in this directory.",
        ),
    ] = None
    project: Annotated[
        str, typer.Option(envvar="HOOKS_PROJECT", help="A deployment, by its project and --name.")
    ] = ""
    name: Annotated[
        str, typer.Option(help="With --project: the prefix of its names; gemini-webhooks.")
    ] = ""
    database: Annotated[
        str, typer.Option(help="With --project: the ledger's database, if not --name.")
    ] = ""

    def find(self) -> "Deployment":
        """Return the deployment to act on; raises `UsageError` or `NoStack`."""
        from hooks.deployment import Where, find

        return find(Where(**vars(self)), os.environ)


def globs(types: Sequence[str] | None) -> list[str]:
    """Return the globs of `--type`, each of which may be a list."""
    return [glob.strip() for entry in types or () for glob in entry.split(",")]


Command = Callable[..., None]


def takes_target(command: Command) -> Command:
    """Replace a command's keyword-only parameter `target` by the options of `Target`."""
    return _with_options(command, tuple(inspect.signature(Target).parameters))


def takes_webhook_target(command: Command) -> Command:
    """Do the same with `--outputs` and `--project` alone: a webhook's own --name is another."""
    return _with_options(command, ("outputs", "project"))


def _with_options(command: Command, names: Sequence[str]) -> Command:
    signature = inspect.signature(command)
    options = {name: inspect.signature(Target).parameters[name] for name in names}
    parameters = [
        option
        for parameter in signature.parameters.values()
        for option in (options.values() if parameter.name == "target" else (parameter,))
    ]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        target = Target(**{name: given.pop(name) for name in options})
        command(**given, target=target)

    # Typer reads a command's parameters here.
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def moment(option: str, text: str) -> "datetime | None":
    """Return the time in UTC that an option states, None if it is empty; see `parse_time`."""
    if not text:
        return None
    import time
    from datetime import UTC, datetime

    from hooks.times import parse_time

    return datetime.fromtimestamp(parse_time(text, time.time(), option=option), UTC)
