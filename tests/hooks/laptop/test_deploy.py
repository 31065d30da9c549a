import json
from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from hooks.cli import app
from hooks.errors import UsageError
from hooks.laptop import deploy as deploy
from hooks.laptop.deploy_demo import Check, Shown, show
from hooks.laptop.phases import added


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["deploy"], "terraform apply in infra/"),
        (["deploy", "--local", "--var", "name"], "NAME=VALUE"),
    ],
)
def test_wrong_options_are_refused_with_a_hint(arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError)
    assert problem in str(result.exception)


RUN = """\
Initializing the backend...
Initializing provider plugins...
module.a.data.google_project.p: Reading...
module.a.google_b.c: Refreshing state... [id=x]
      + name = x
Plan: 5 to add, 0 to change, 0 to destroy.
module.a.google_b.c: Creating...
module.a.google_b.c: Creation complete after 1s [id=x]
module.a.google_b.d: Creation complete after 1s [id=x]
data.http.registration: Reading...
module.a.google_b.e: Creation complete after 1s [id=x]
module.a.google_b.f: Creation complete after 1s [id=x]
module.a.google_b.g: Creation complete after 1s [id=x]
Apply complete! Resources: 5 added, 0 changed, 0 destroyed.
"""
APPLIED = "Apply complete! Resources: 5 added, 0 changed, 0 destroyed."


def told(lines: Sequence[str], capsys: pytest.CaptureFixture[str], *, verbose: bool) -> list[str]:
    on_line = deploy.teller(verbose=verbose, as_json=True)
    for line in lines:
        on_line("terraform", line)
    on_line("gemini-webhooks-receiver", "ready")
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown.pop() == {"from": "gemini-webhooks-receiver", "line": "ready"}
    return [each["line"] for each in shown]


def test_an_apply_is_shown_by_phase(capsys: pytest.CaptureFixture[str]) -> None:
    lines = RUN.splitlines()
    assert told(lines, capsys, verbose=True) == lines
    assert told(lines, capsys, verbose=False) == [
        "fetching the providers",
        "planning",
        "creating 5 resources",
        "2 of 5 done",
        "3 of 5 done",
        "4 of 5 done",
        "5 of 5 done",
        APPLIED,
    ]


def test_a_destroy_and_an_error_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        "No changes. Your infrastructure matches the configuration.",
        "Plan: 0 to add, 0 to change, 1 to destroy.",
        "module.a.google_b.c: Destruction complete after 0s",
        "Error: it broke",
    ]
    shown = ["no changes", "destroying 1 resources", "1 of 1 done", "Error: it broke"]
    assert told(lines, capsys, verbose=False) == shown


def test_resources_are_counted_as_terraform_counts() -> None:
    assert added(RUN) == 5
    assert added("No changes.") == 0


def test_one_failed_check_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    good = Check("it deploys", holds=True, detail="76 resources")
    bad = Check("it goes", holds=False, detail="a topic")
    assert Shown([good], 1.0).holds
    shown = Shown([good, bad], 2.0)
    assert not shown.holds
    assert shown.facts()["checks"][1] == {"name": "it goes", "holds": False, "detail": "a topic"}
    show(shown)
    assert "It FAILS: it goes (2.0 s)" in capsys.readouterr().out
