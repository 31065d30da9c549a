import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hooks import cli
from hooks.errors import NoStack, UsageError

HEAVY = (
    "google.api_core",
    "google.protobuf",
    "grpc",
    "httpx2",
    "starlette",
    "rich.console",
    "pydantic",
)


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(cli.app, ["--help"])

    assert shown.exit_code == 0
    for command in (
        *("demo", "deploy", "dev", "env", "send", "subscribe", "tail"),
        *("doctor", "dlq", "events", "jobs", "listen", "recover", "verify", "webhook", "why"),
    ):
        assert f" {command} " in shown.stdout


def test_version_is_that_of_the_installed_distribution() -> None:
    shown = CliRunner().invoke(cli.app, ["--version"])

    assert shown.exit_code == 0
    assert re.fullmatch(r"hooks \d+\.\d+\S*\n", shown.stdout)


def test_importing_the_command_stays_light() -> None:
    script = f"import sys, hooks.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("error", "status"), [(NoStack("gone"), 1), (UsageError("wrong"), 2)])
def test_an_error_of_ours_is_one_line_and_an_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    status: int,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)

    with pytest.raises(SystemExit) as exited:
        cli.main()

    assert exited.value.code == status
    assert capsys.readouterr().err == f"error: {error}\n"
