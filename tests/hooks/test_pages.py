"""Every `hooks` command that a page shows is one that the command line accepts."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from hooks.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/deploy.md", "docs/operations.md", "docs/subscribing.md")


def shown(page: str) -> list[list[str]]:
    """The arguments of each `hooks` command in a page's shell blocks."""
    text = (ROOT / page).read_text("utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^(?:\w+=.* |\.venv/bin/)?hooks (.*)$", "\n".join(blocks), re.MULTILINE)
    return [shlex.split(arguments, comments=True) for arguments in found]


COMMAND_LINE = get_command(app)
COMMANDS = [
    pytest.param(arguments, id=f"{page}: {' '.join(arguments)}")
    for page in PAGES
    for arguments in shown(page)
]


def parse(arguments: list[str]) -> None:
    """Raise for what the command line does not accept; runs nothing."""
    command: Any = COMMAND_LINE
    context = command.make_context("hooks", list(arguments))
    while hasattr(command, "resolve_command"):
        left = context._protected_args + context.args
        if not left and command.invoke_without_command:
            return
        name, command, rest = command.resolve_command(context, left)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_command_that_a_page_shows_is_accepted(arguments: list[str]) -> None:
    parse(arguments)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_a_command(page: str) -> None:
    assert shown(page)


@pytest.mark.parametrize("wrong", [["dlq", "lst"], ["dlq", "list", "--raeson", "x"], ["events"]])
def test_a_wrong_command_is_not_accepted(wrong: list[str]) -> None:
    with pytest.raises(Exception) as refused:  # noqa: PT011 - typer keeps the class to itself
        parse(wrong)
    assert "UsageError" in {kind.__name__ for kind in type(refused.value).__mro__}
