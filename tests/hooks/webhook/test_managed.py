"""`hooks webhook` on a deployment asks its registrar, and on a stack its simulator."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from hooks import stackfile
from hooks.cli import app
from hooks.errors import HooksError, UsageError
from tests.hooks.conftest import OUTPUTS
from tests.hooks.test_stackfile import RUNNING
from tests.support.loop_thread import LoopThread
from tests.support.serving import serving

REPORT = {"id": "wh_1", "uri": "https://r.example", "events": ["a"], "state": "disabled"}


@dataclass
class Registrar:
    """A registrar that answers every call with its report, or with a refusal."""

    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    status: int = 200

    @property
    def app(self) -> Starlette:
        async def answer(request: Request) -> Response:
            assert request.headers["authorization"] == "Bearer token"
            body = json.loads(await request.body() or b"{}")
            self.calls.append((request.method, request.url.path, body))
            if self.status != 200:
                return JSONResponse({"error": "Gemini said no."}, self.status)
            return JSONResponse({} if request.url.path == "/ping" else REPORT)

        return Starlette(routes=[Route("/{path}", answer, methods=["GET", "POST", "DELETE"])])


@pytest.fixture
def registrar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registrar]:
    made = Registrar()
    with LoopThread() as thread, contextlib.ExitStack() as unwinding:
        server = serving(made.app)
        url = thread.run(server.__aenter__())
        unwinding.callback(lambda: thread.run(server.__aexit__(None, None, None)))
        outputs = tmp_path / "outputs.json"
        outputs.write_text(json.dumps(OUTPUTS | {"registrar_url": url}))
        monkeypatch.setenv("HOOKS_OUTPUTS", str(outputs))
        monkeypatch.setenv("REGISTRAR_IDENTITY_TOKEN", "token")
        monkeypatch.delenv("GEMINI_API_KEY", raising=False)
        monkeypatch.delenv("SIGNING_SECRET", raising=False)
        yield made


def run(*words: str) -> Any:
    """Run a command with --json and return what it printed; raises what it raises."""
    result = CliRunner().invoke(app, ["webhook", *words, "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.output)


SHOW: tuple[str, str, dict[str, Any]] = ("GET", "/webhook", {})
BEHAVIOR = "revoke_previous_secrets_after_h24"


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        (("show",), [SHOW]),
        (("list",), [SHOW]),
        (("apply",), [("POST", "/converge", {})]),
        (("create",), [("POST", "/converge", {})]),
        (("update", "wh_1", "--state", "enabled"), [SHOW, ("POST", "/converge", {})]),
        (("ping",), [SHOW, ("POST", "/ping", {})]),
        (("rotate",), [SHOW, ("POST", "/rotate", {"revocation_behavior": BEHAVIOR})]),
        (("delete", "--yes"), [SHOW, SHOW, ("DELETE", "/webhook", {})]),
    ],
)
def test_every_command_works_through_the_registrar_without_an_api_key(
    registrar: Registrar, words: tuple[str, ...], calls: list[Any]
) -> None:
    assert run(*words)["id"] == "wh_1"
    assert registrar.calls == calls


def test_what_terraform_declares_is_not_changed_through_the_registrar(
    registrar: Registrar,
) -> None:
    for words in (
        ("update", "--name", "x"),
        ("update", "--state", "disabled"),
        ("apply", "--uri", "https://x.example"),
        ("rotate", "--signing-secret", "projects/p/secrets/s"),
    ):
        with pytest.raises(UsageError, match="Terraform"):
            run(*words)
    assert registrar.calls == []


def test_beside_a_local_deployment_the_token_comes_from_its_cloud(
    registrar: Registrar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def token(request: Request) -> Response:
        return PlainTextResponse(request.query_params["audience"])

    url = json.loads((tmp_path / "outputs.json").read_text())["registrar_url"]
    for name in ("HOOKS_OUTPUTS", "REGISTRAR_IDENTITY_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with LoopThread() as thread, stackfile.locked() as file:
        server = serving(Starlette(routes=[Route("/token", token)]))
        cloud = thread.run(server.__aenter__())
        deployed = replace(RUNNING, registrar_url=url, token_url=f"{cloud}/token?audience=token")
        topics = {"ingress": "projects/p/topics/x-ingress"}
        file.announce(replace(deployed, command="deploy", topics=topics))
        assert run("update", "--state", "enabled")["id"] == "wh_1"
        remedy = CliRunner().invoke(app, ["webhook", "show"]).stderr
        thread.run(server.__aexit__(None, None, None))
        with pytest.raises(HooksError, match="local cloud gave no identity token"):
            run("show")
    assert registrar.calls == [SHOW, ("POST", "/converge", {}), SHOW]
    assert "`hooks webhook update wh_1 --state enabled`" in remedy


def test_another_webhook_is_not_touched(registrar: Registrar) -> None:
    for words in (("rotate", "wh_2"), ("delete", "wh_2", "--yes"), ("ping", "wh_2")):
        with pytest.raises(UsageError, match="wh_2 is not the deployment's webhook"):
            run(*words)
    assert {method for method, _, _ in registrar.calls} == {"GET"}


def test_the_registrars_refusal_is_the_error(registrar: Registrar) -> None:
    registrar.status = 502
    with pytest.raises(HooksError, match="502: Gemini said no"):
        run("rotate")


def test_a_disabled_webhook_is_shown_with_the_command_that_enables_it(
    registrar: Registrar,
) -> None:
    shown = CliRunner().invoke(app, ["webhook", "show"])
    assert "hooks webhook update wh_1 --state enabled --outputs" in shown.stderr
    assert "REGISTRAR_IDENTITY_TOKEN=$(gcloud" in shown.stderr
    assert "https://r.example" in shown.stdout
    assert registrar.calls == [SHOW]


def test_without_a_token_the_error_is_the_command_that_has_one(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGISTRAR_IDENTITY_TOKEN")
    with pytest.raises(UsageError, match=r"print-identity-token\) hooks webhook list --outputs"):
        run("list")
    assert registrar.calls == []


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give what makes standard input a terminal at which somebody answers."""

    def prepare(text: str) -> None:
        monkeypatch.setattr("hooks.console._is_terminal", lambda: True)
        monkeypatch.setattr("typer.confirm", lambda *_given, **_named: text == "y")

    return prepare


def test_a_delete_must_be_confirmed(registrar: Registrar, answer: Callable[[str], None]) -> None:
    with pytest.raises(UsageError, match="delete the webhook wh_1; confirm with --yes"):
        run("delete")
    answer("n")
    assert CliRunner().invoke(app, ["webhook", "delete"]).exit_code == 0
    assert ("DELETE", "/webhook", {}) not in registrar.calls
    answer("y")
    assert CliRunner().invoke(app, ["webhook", "delete"]).exit_code == 0
    assert registrar.calls[-1] == ("DELETE", "/webhook", {})
