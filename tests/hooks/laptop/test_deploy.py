import pytest
from typer.testing import CliRunner

from hooks.cli import app
from hooks.errors import UsageError
from hooks.laptop import deploy as deploy
from hooks.laptop.deploy_demo import Check, Shown, show


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


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("module.a.google_b.c: Creation complete after 1s [id=x]", True),
        ("module.a.google_b.c: Creating...", False),
        ("      + name = x", False),
        ("Apply complete! Resources: 76 added, 0 changed, 0 destroyed.", True),
        ("Plan: 1 to add, 0 to change, 0 to destroy.", True),
        ("Error: it broke", True),
    ],
)
def test_terraforms_progress_is_shown_and_its_plan_is_not(
    line: str, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.teller(verbose=False, as_json=True)("terraform", line)
    assert bool(capsys.readouterr().out) is shown
    deploy.teller(verbose=True, as_json=True)("terraform", line)
    assert capsys.readouterr().out
    deploy.teller(verbose=False, as_json=True)("gemini-webhooks-receiver", line)
    assert capsys.readouterr().out


def test_one_failed_check_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    good = Check("it deploys", holds=True, detail="76 resources")
    bad = Check("it goes", holds=False, detail="a topic")
    assert Shown([good], 1.0).holds
    shown = Shown([good, bad], 2.0)
    assert not shown.holds
    assert shown.facts()["checks"][1] == {"name": "it goes", "holds": False, "detail": "a topic"}
    show(shown)
    assert "It FAILS: it goes (2.0 s)" in capsys.readouterr().out
