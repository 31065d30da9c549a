"""Options that several of the operator's commands share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from hooks.operate.deployment import Deployment

Outputs = Annotated[
    Path | None,
    typer.Option(
        envvar="HOOKS_OUTPUTS",
        help="A deployment: the file that `terraform output -json` wrote. Else the laptop stack.",
    ),
]
Project = Annotated[
    str, typer.Option(envvar="HOOKS_PROJECT", help="A deployment, by its project and --name.")
]
Name = Annotated[
    str, typer.Option(help="With --project: what the names begin with; gemini-webhooks.")
]
Database = Annotated[
    str, typer.Option(help="With --project: the ledger's database, if it is not --name.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Payload = Annotated[bool, typer.Option("--payload", help="Show payloads too.")]


def deployment(outputs: Path | None, project: str, name: str, database: str) -> "Deployment":
    """Return the deployment that these options mean; raises `UsageError` or `NoStack`."""
    from hooks.operate.deployment import Where, find

    return find(Where(outputs=outputs, project=project, name=name, database=database), os.environ)


def moment(option: str, text: str) -> "datetime | None":
    """Return the time in UTC that an option states, None where it states none.

    It is RFC 3339, Unix seconds, or a time from now such as -2h. Raises `UsageError`.
    """
    if not text:
        return None
    import time
    from datetime import UTC, datetime

    from hooks.sending import parse_time

    return datetime.fromtimestamp(parse_time(text, time.time(), option=option), UTC)
