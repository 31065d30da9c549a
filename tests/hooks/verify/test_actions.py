import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hooks.cli import app
from hooks.errors import HooksError, UsageError
from tests.support.signing import BODY, NOW, ed25519_jwk, headers, jwks, secret, v1a

AT = ("--at", str(NOW))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where no stack runs and nothing is set."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOOKS_OUTPUTS", "HOOKS_PROJECT", "WEBHOOK_SIGNING_SECRET"):
        monkeypatch.delenv(name, raising=False)
    Path("body").write_bytes(BODY)
    Path("secrets").write_text(f"{secret(1)}\n{secret()}\n")
    Path("headers").write_text(lines(headers()))


def lines(given: dict[str, str]) -> str:
    return "POST /webhook HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in given.items())


def run(*words: str, status: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["verify", "body", *words, "--json"])
    if result.exit_code != status:
        raise AssertionError(result.output) from result.exception
    return dict(json.loads(result.stdout))


def test_headers_come_from_lines_from_json_and_from_options() -> None:
    Path("json").write_text(json.dumps({name: [value] for name, value in headers().items()}))
    options = [word for each in headers().items() for word in ("-H", ":".join(each))]
    for given in (["--headers", "headers"], ["--headers", "json"], options):
        found = run(*given, *AT, "--secret-file", "secrets")
        assert (found["verified"], found["scheme"]) == (True, "v1")
        assert all(step["holds"] for step in found["steps"])


def test_secrets_come_from_the_variable_that_the_receiver_has_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("--headers", "headers", *AT, status=1)["status"] == 503
    monkeypatch.setenv("WEBHOOK_SIGNING_SECRET", secret())
    assert run("--headers", "headers", *AT)["verified"]


def test_public_keys_come_from_a_file() -> None:
    Path("jwks").write_bytes(jwks(ed25519_jwk()))
    Path("headers").write_text(lines(headers(v1a())))
    assert run("--headers", "headers", *AT, "--jwks", "jwks", status=1)["status"] == 401
    words = ("--jwks", "jwks", "--schemes", "v1a")
    assert run("--headers", "headers", *AT, *words)["scheme"] == "v1a"


def test_people_read_each_step_and_the_answer_in_80_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["verify", "body", "--headers", "headers", "--secret-file", "secrets"]
    monkeypatch.setenv("COLUMNS", "80")
    good = CliRunner().invoke(app, [*words, *AT])
    assert good.stdout.endswith("it verifies by v1: the receiver answers 200\n")
    bad = CliRunner().invoke(app, words)
    assert bad.exit_code == 1
    assert "✘ it is fresh" in bad.stdout
    assert "→ " in bad.stdout
    assert max(map(len, bad.stdout.splitlines())) <= 80
    assert bad.stdout.endswith("it does not verify: the receiver answers 401\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--headers FILE"),
        (("-H", "nonsense"), "is not `name: value`"),
        (("--headers", "gone"), "cannot read gone"),
        (("--headers", "headers", "--schemes", "v7"), "--schemes takes of v1, v1a, jwt"),
        (("--headers", "headers", "--secret-file", "body"), "body holds no signing secret"),
        (("--headers", "headers", "--at", "noon"), "--at"),
    ],
)
def test_what_cannot_be_read_is_named(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["verify", "body", *words])
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)


def test_public_keys_that_cannot_be_had_are_named() -> None:
    Path("headers").write_text(lines(headers(v1a())))
    words = ["--headers", "headers", "--schemes", "v1a", "--jwks"]
    away = CliRunner().invoke(app, ["verify", "body", *words, "http://127.0.0.1:9/jwks"])
    assert isinstance(away.exception, HooksError)
    assert "http://127.0.0.1:9/jwks" in str(away.exception)
    none = CliRunner().invoke(app, ["verify", "body", *words, "body"])
    assert isinstance(none.exception, UsageError)
