"""What people read: in colour on a terminal that has colours, else plain text."""

import json
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from hooks.errors import UsageError

_SEVERITIES = {
    "DEBUG": "dim",
    "INFO": "green",
    "NOTICE": "cyan",
    "WARNING": "yellow",
    "ERROR": "red",
    "CRITICAL": "bold red",
}
_UNBOUNDED = 10_000
_STYLES = ("cyan", "magenta", "blue", "green", "yellow")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def width() -> int:
    """Return the columns of the terminal, or COLUMNS; practically unbounded without either."""
    return shutil.get_terminal_size((_UNBOUNDED, 0)).columns


def print_json(document: object) -> None:
    """Write one JSON document as one line on standard output."""
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


def problem(message: str) -> None:
    """Print an error on standard error."""
    err.print(Text.assemble(("error: ", "bold red"), message))


def confirmed(action: str, *, yes: bool, json: bool) -> bool:
    """Ask whether to do something that cannot be undone; `yes` is the answer if it is True.

    Raises `UsageError` if nobody can be asked: without a terminal, and for JSON output.
    """
    if yes:
        return True
    if json or not _is_terminal():
        raise UsageError(f"this would {action}; confirm with --yes")
    return typer.confirm(f"{action[0].upper()}{action[1:]}?", default=False)


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def source_style(name: str) -> str:
    """Return the colour of a source of lines, always the same."""
    return _STYLES[sum(name.encode()) % len(_STYLES)]


def log_line(name: str, line: str, *, margin: int = 8) -> Text:
    """Return a line of a function's log for people, after the function's name in `margin` columns.

    A structured entry (https://cloud.google.com/logging/docs/structured-logging) shows its message
    and then its fields, those that do not fit the terminal below it; any other line is unchanged.
    """
    shown = Text.assemble((f"{name:<{margin}}", source_style(name)), (" │ ", "dim"))
    entry = _entry(line)
    if entry is None:
        return shown.append(line)
    # The framework's execution id, which tells people nothing.
    entry.pop("logging.googleapis.com/labels", None)
    severity = str(entry.pop("severity", ""))
    shown.append(f"{severity:<8}", _SEVERITIES.get(severity, ""))
    indent, columns = f"\n{' ' * margin} │ {' ' * 8}", width()
    taken = len(shown) + len(message := str(entry.pop("message", "")))
    shown.append(message)
    for field, value in entry.items():
        told = value if isinstance(value, str) else json.dumps(value)
        size = len(f"  {field}={told}")
        if taken + size > columns:
            shown.append(indent, "dim")
            taken = len(indent) - 1
        shown.append(f"  {field}=", "dim").append(told)
        taken += size
    return shown


def _entry(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "message" in entry else None


def pairs(entries: Mapping[str, str]) -> Text:
    """Return names and values, one pair per line, the values aligned."""
    width = max(map(len, entries), default=0)
    lines = [
        Text.assemble((f"  {name:<{width}}  ", "dim"), value) for name, value in entries.items()
    ]
    return Text("\n").join(lines)
