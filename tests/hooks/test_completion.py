"""A shell completes what the running stack has, by the protocol that the installed script uses."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from hooks import stackfile
from hooks.cli import app
from tests.hooks.test_stackfile import RUNNING
from tests.support.loop_thread import LoopThread
from tests.support.serving import serving

NAMES = ("my-service", "gemini-webhooks-dispatch", "hooks-tail-1")
ANSWERS = {
    "/v1/webhooks": {"webhooks": [{"id": "wh_a"}, {"id": "wh_b"}]},
    "/control/deliveries": {
        "deliveries": [
            {"webhook_id": identifier, "scheme": scheme}
            for identifier, scheme in (("evt_1", "v1"), ("evt_2", "jwt"), ("evt_3", "v1"))
            for _ in range(2)
        ]
    },
    "/v1/projects/p/subscriptions": {
        "subscriptions": [{"name": f"projects/p/subscriptions/{name}"} for name in NAMES]
    },
}


def complete(*words: str) -> list[str]:
    """Return what bash is given to complete the last word with."""
    environ = {
        "_HOOKS_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("hooks", *words)),
        "COMP_CWORD": str(len(words)),
    }
    return CliRunner().invoke(app, [], prog_name="hooks", env=environ).stdout.split()


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A simulator and a Pub/Sub that answer as those of a stack do."""

    async def answer(request: Request) -> Response:
        return JSONResponse(ANSWERS[request.url.path])

    monkeypatch.chdir(tmp_path)
    with LoopThread() as thread, contextlib.ExitStack() as unwinding:
        server = serving(Starlette(routes=[Route("/{path:path}", answer)]))
        url = thread.run(server.__aenter__())
        unwinding.callback(lambda: thread.run(server.__aexit__(None, None, None)))
        file = unwinding.enter_context(stackfile.locked())
        host = url.removeprefix("http://")
        variables = {"GOOGLE_CLOUD_PROJECT": "p", "PUBSUB_EMULATOR_HOST": host}
        subscribers = {"billing": {"subscription": "projects/p/subscriptions/x-billing-1"}}
        file.announce(
            replace(RUNNING, gemini_url=url, variables=variables, subscribers=subscribers)
        )
        yield


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("webhook", "show", ""), ["wh_a", "wh_b"]),
        (("webhook", "rotate", "wh_b"), ["wh_b"]),
        (("events", "show", ""), ["evt_3", "evt_1"]),
        (("events", "replay", "--id", "evt_1"), ["evt_1"]),
        (("why", "evt"), ["evt_3", "evt_1"]),
        (("dlq", "purge", "evt_3", "evt_1"), ["evt_1"]),
        (("listen", "resend", "evt_3"), ["evt_3"]),
        (("recover", ""), ["billing", "my-service", "gemini-webhooks-dispatch"]),
        (("dlq", "list", "--subscriber", "my"), ["my-service"]),
    ],
)
def test_what_the_stack_has_is_completed(words: tuple[str, ...], found: list[str]) -> None:
    assert complete(*words) == found


def test_event_types_are_completed_without_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complete("send", "batch.s") == ["batch.succeeded"]
    assert complete("tail", "--type", "video") == ["video.*", "video.generated"]
    assert complete("listen", "--type", "a,batch.f") == ["a,batch.failed"]
    assert complete("events", "list", "--type", "batch.*") == ["batch.*"]
    assert complete("webhook", "show", "") == []


def test_a_stack_that_does_not_answer_completes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with stackfile.locked() as file:
        file.announce(replace(RUNNING, gemini_url="http://127.0.0.1:9"))
        assert complete("webhook", "show", "") == []
