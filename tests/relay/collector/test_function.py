"""The collector over HTTP: which requests it takes, and how it answers."""

import base64
import json
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.types import Message

from relay.collector.function import Service, create
from relay.errors import Refused
from relay.gcp.objects import HOST
from relay.web.identity import Identity
from tests.relay.collector.test_settings import ENVIRON
from tests.relay.collector.test_worker import BATCH, FILE_PATH, LINES, World, content


class PubSub:
    """An identity check that knows one caller."""

    async def check(self, headers: Any) -> Identity:
        if (b"authorization", b"Bearer push") not in headers:
            raise Refused(403, "identity-not-allowed")
        return Identity("push@example", "collect")


def push(body: bytes | None = None, method: str = "POST", caller: str = "push") -> Request:
    event = {"type": "batch.succeeded", "data": BATCH}
    data = base64.b64encode(json.dumps(event).encode()).decode()
    wrapped = {"message": {"data": data, "messageId": "7", "attributes": {"ce-id": "evt_1"}}}
    given = json.dumps(wrapped).encode() if body is None else body

    async def receive() -> Message:
        return {"type": "http.request", "body": given}

    headers = [(b"authorization", f"Bearer {caller}".encode())]
    return Request({"type": "http", "method": method, "path": "/", "headers": headers}, receive)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("relay.gcp.objects._PAUSE_SECONDS", 0.0)
    return World()


@pytest.fixture
def collect(world: World) -> Service:
    check: Any = PubSub()
    return Service(world.collector, check)


async def test_a_push_is_settled(collect: Service, world: World) -> None:
    world.gemini.answers[FILE_PATH] = content(LINES)
    assert (await collect(push())).status_code == 204
    assert world.stored("batch/b1/results.jsonl") == LINES


@pytest.mark.parametrize(
    ("request_", "status"),
    [(push(b"{}"), 400), (push(method="GET"), 405), (push(caller="other"), 403)],
)
async def test_another_request_is_refused(
    collect: Service, world: World, request_: Request, status: int
) -> None:
    assert (await collect(request_)).status_code == status
    assert world.gemini.requests == []


async def test_what_may_succeed_later_is_put_off(collect: Service, world: World) -> None:
    world.gemini.answers[FILE_PATH] = httpx2.ReadTimeout("slow")
    assert (await collect(push())).status_code == 503


async def test_a_dead_letter_is_settled(collect: Service, world: World) -> None:
    assert (await collect(push())).status_code == 204
    assert world.topics.messages[0][2]["reason"] == "expired"


def test_the_environment_makes_the_whole() -> None:
    service = create({**ENVIRON, "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1"})
    assert service._collector._bucket.name == "my-results"
    assert service._collector._bucket._host == HOST
    assert service._collector._gemini.base_url == "http://127.0.0.1:1"
    assert service._identity is None
