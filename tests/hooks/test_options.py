from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hooks import cli
from hooks.options import AsJson, Target, takes_target

OPTIONS = {"outputs": None, "project": "", "name": "", "database": ""}
COMMANDS = [
    ("dlq", "list"),
    ("dlq", "show"),
    ("dlq", "replay"),
    ("dlq", "purge"),
    ("events", "list"),
    ("events", "show"),
    ("events", "replay"),
    ("doctor",),
]


@pytest.fixture
def called() -> list[tuple[str, Target, bool]]:
    return []


@pytest.fixture
def app(called: list[tuple[str, Target, bool]]) -> typer.Typer:
    made = typer.Typer()

    @made.command()
    @takes_target
    def do(
        what: Annotated[str, typer.Argument()] = "this",
        *,
        target: Target,
        as_json: AsJson = False,
    ) -> None:
        """Do something to a deployment."""
        called.append((what, target, as_json))

    return made


def test_the_options_become_the_target(
    app: typer.Typer, called: list[tuple[str, Target, bool]]
) -> None:
    given = ["that", "--json", "--project", "p", "--name", "n", "--database", "d"]
    assert CliRunner().invoke(app, given).exit_code == 0
    assert called == [("that", Target(project="p", name="n", database="d"), True)]


def test_no_option_is_required(app: typer.Typer, called: list[tuple[str, Target, bool]]) -> None:
    assert CliRunner().invoke(app, []).exit_code == 0
    assert called == [("this", Target(), False)]


def test_the_environment_may_name_the_deployment(
    app: typer.Typer, called: list[tuple[str, Target, bool]]
) -> None:
    environ = {"HOOKS_OUTPUTS": "deployment.json", "HOOKS_PROJECT": "p"}
    assert CliRunner().invoke(app, [], env=environ).exit_code == 0
    assert called == [("this", Target(outputs=Path("deployment.json"), project="p"), False)]


def test_the_options_replace_the_parameter_in_place(app: typer.Typer) -> None:
    command = typer.main.get_command(app)
    names = [each.name for each in command.params]
    assert names[: len(OPTIONS) + 2] == ["what", *OPTIONS, "as_json"]
    assert command.help == "Do something to a deployment."


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_about_a_deployment_takes_the_target_options(path: tuple[str, ...]) -> None:
    command = typer.main.get_command(cli.app)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]  # groups have them
    found = {each.name: each.default for each in command.params}
    assert OPTIONS.items() <= found.items()
    assert found["as_json"] is False
    assert "target" not in found


def test_a_target_finds_its_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    found = Target(project="my-project", name="staging").find()
    assert found.topics["events"] == "projects/my-project/topics/staging-events"
    assert found.database == "staging"
