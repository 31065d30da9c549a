"""Events reach a URL as pushes do, from a deployment whose dispatcher runs in this process."""

import asyncio
import base64
import contextlib
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from google.pubsub_v1 import types
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typer.testing import CliRunner

from hooks.cli import app
from hooks.errors import HooksError, UsageError
from hooks.events.listen import run
from hooks.events.listen.run import Options
from tests.hooks.conftest import NAMES, Relay
from tests.support.serving import serving


@dataclass
class Service:
    """What somebody develops: answers with the statuses in store, then with 204."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: Request) -> Response:
        self.requests.append((dict(request.headers), await request.json()))
        self.called.set()
        return Response(status_code=self.statuses.pop(0) if self.statuses else 204)

    @property
    def types(self) -> list[str]:
        return [push["message"]["attributes"]["ce-type"] for _, push in self.requests]

    def options(self, **given: Any) -> Options:
        options: dict[str, Any] = {
            "url": self.url,
            "types": (),
            "message_filter": "",
            "since": None,
            "count": 0,
            "as_json": True,
        }
        return Options(**options | given)


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    monkeypatch.chdir(tmp_path)
    service = Service()
    async with serving(Starlette(routes=[Route("/x", service.take, methods=["POST"])])) as url:
        service.url = f"{url}/x"
        yield service


async def subscribed(relay: Relay) -> list[str]:
    """Return the temporary subscriptions, once there is one."""
    async with asyncio.timeout(30):
        while not (found := await left(relay)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found


async def left(relay: Relay) -> list[str]:
    return [name for name in await relay.subscriptions() if "/hooks-listen" in name]


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_an_event_is_sent_until_it_is_accepted(
    relay: Relay, service: Service, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    service.statuses = [500]
    listening = asyncio.create_task(run.listen(relay.deployment, service.options(count=1)))
    [name] = await subscribed(relay)
    request = types.GetSubscriptionRequest(subscription=name)
    proto = await relay.call("GetSubscription", request)
    assert proto.expiration_policy.ttl.ToTimedelta() == timedelta(days=1)
    event = await relay.receive(1)
    await listening

    assert await left(relay) == []
    refused, accepted = printed(capsys)
    assert (refused["status"], refused["accepted"], refused["attempt"]) == (500, False, 1)
    assert (accepted["status"], accepted["accepted"], accepted["attempt"]) == (204, True, 2)
    assert refused["id"] == accepted["id"] == event
    assert refused["type"] == "batch.succeeded"
    [(headers, push), again] = service.requests
    assert push == again[1]
    message = push["message"]
    assert message["attributes"]["ce-id"] == event
    assert json.loads(base64.b64decode(message["data"]))["data"] == {"id": "job_1"}
    assert message["messageId"] == refused["message_id"]
    token = headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == service.url
    assert claims["iss"] == "https://accounts.google.com"
    [record] = (tmp_path / ".hooks").glob("*.jsonl")
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


async def test_only_selected_events_are_sent_and_none_is_left_behind(
    relay: Relay, service: Service
) -> None:
    options = service.options(types=["batch.*"], message_filter='attributes.ce-subject = "job_2"')
    listening = asyncio.create_task(run.listen(relay.deployment, options))
    await subscribed(relay)
    for number, kind in ((1, "batch.failed"), (2, "video.generated"), (2, "batch.failed")):
        await relay.receive_body(
            json.dumps({"type": kind, "data": {"id": f"job_{number}"}}).encode(),
            number * 10 + len(kind),
        )
    async with asyncio.timeout(30):
        await service.called.wait()
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening

    assert service.types == ["batch.failed"]
    assert await left(relay) == []


@pytest.mark.parametrize("retained", [True, False], ids=["events topic", "ingress topic"])
async def test_events_of_the_past_come_first(
    relay: Relay, service: Service, *, retained: bool
) -> None:
    if retained:
        topic = types.Topic(name=NAMES.events, message_retention_duration=timedelta(hours=2))
        mask = {"paths": ["message_retention_duration"]}
        await relay.call("UpdateTopic", types.UpdateTopicRequest(topic=topic, update_mask=mask))
    old = await relay.receive(1)
    await relay.receive_body(b"poison", 2)
    await relay.receive(3, "video.generated")
    repeated = await relay.receive(1)
    await relay.dispatched()

    options = service.options(
        types=["batch.*"],
        since=datetime.now(UTC) - timedelta(hours=1),
        message_filter="attributes:ce-id",
        count=2,
    )
    listening = asyncio.create_task(run.listen(relay.deployment, options))
    async with asyncio.timeout(30):
        await service.called.wait()
    new = await relay.receive(4)
    await listening

    assert old == repeated
    attributes = [push["message"]["attributes"] for _, push in service.requests]
    assert [each["ce-id"] for each in attributes] == [old, new]
    [published] = [each for each, _ in relay.messages(NAMES.events) if each["ce-id"] == old]
    assert attributes[0] == published


async def test_a_past_that_is_nowhere_retained_is_refused(relay: Relay, service: Service) -> None:
    await relay.retain_nothing()
    options = service.options(since=datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(UsageError, match="retains no messages"):
        await run.listen(relay.deployment, options)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "localhost:8080"}, "--forward-to .* is not a URL"),
        ({"url": "http://[x"}, "--forward-to .* is not a URL"),
        ({"message_filter": "type = 1"}, "--filter"),
    ],
)
async def test_what_cannot_be_is_refused(
    relay: Relay, service: Service, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        await run.listen(relay.deployment, service.options(**given))


async def test_an_event_can_be_sent_again_by_its_id(
    relay: Relay, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    listening = asyncio.create_task(run.listen(relay.deployment, service.options(count=1)))
    await subscribed(relay)
    event = await relay.receive(1)
    await listening
    capsys.readouterr()

    assert await run.resend(event, json=True)
    service.statuses = [503]
    assert not await run.resend(event, json=False)
    told = capsys.readouterr().out.splitlines()
    assert json.loads(told[0])["accepted"]
    assert f"{event} 503 " in told[1]
    assert [push for _, push in service.requests] == [service.requests[0][1]] * 3
    with pytest.raises(HooksError, match="sent no evt_2"):
        await run.resend("evt_2", json=True)


async def test_a_service_that_is_away_is_no_answer(
    relay: Relay, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    options = service.options(url="http://127.0.0.1:9/")
    listening = asyncio.create_task(run.listen(relay.deployment, options))
    await subscribed(relay)
    await relay.receive(1)
    async with asyncio.timeout(30):
        while not (answers := printed(capsys)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    assert (answers[0]["status"], answers[0]["accepted"]) == (None, False)
    assert answers[0]["error"]


def test_the_command_needs_a_url() -> None:
    result = CliRunner().invoke(app, ["listen"])
    assert isinstance(result.exception, UsageError)
    assert "--forward-to" in str(result.exception)
