import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hooks import stackfile
from hooks.cli import app
from hooks.errors import NoStack
from tests.hooks.test_stackfile import RUNNING

VARIABLES = {"GOOGLE_CLOUD_PROJECT": "my project", "PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}


def test_a_shell_that_evaluates_the_output_has_the_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with stackfile.locked() as file:
        file.announce(replace(RUNNING, variables=VARIABLES))
        shown = CliRunner().invoke(app, ["env"])
        as_json = CliRunner().invoke(app, ["env", "--json"])

    script = f'eval "$1"; printf "%s|%s" "${"|$".join(VARIABLES)}"'.replace("|$", '" "$')
    set_ = subprocess.check_output(["sh", "-c", script, "sh", shown.stdout], text=True)
    assert set_.split("|") == list(VARIABLES.values())
    assert json.loads(as_json.stdout) == VARIABLES


def test_without_a_stack_there_is_nothing_to_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["env"])
    assert isinstance(shown.exception, NoStack)
    assert shown.stdout == ""
