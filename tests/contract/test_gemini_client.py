"""Our client of Gemini's webhooks beside Google's SDK: both send the same and read the same.

The SDK is the referee, the simulator the server: what the SDK sends is what Gemini takes.
"""

import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest
from google import genai
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcloud.core.clock import ManualClock
from localcloud.gemini import Gemini
from relay.gemini.webhooks import GeminiWebhooks, Webhook
from tests.support.serving import serving

API_KEY = "test-api-key"
URI = "https://relay.example/%C3%BC"
EVENTS = ["batch.succeeded", "video.generated"]

Sdk = Any
"""The SDK's `aio.webhooks`."""


@dataclass
class Recorder:
    """Passes requests on to an application, and keeps what was sent."""

    app: ASGIApp
    sent: list[tuple[str, bytes, bytes, Any, str]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""

        async def received() -> Message:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        await self.app(scope, received, send)
        headers = dict(scope["headers"])
        content = json.loads(body) if body else None
        key = headers[b"x-goog-api-key"].decode()
        self.sent.append((scope["method"], scope["raw_path"], scope["query_string"], content, key))

    def take(self) -> list[tuple[str, bytes, bytes, Any, str]]:
        sent, self.sent = self.sent, []
        return sent


@dataclass
class Both:
    """The two clients of one simulator."""

    recorder: Recorder
    sdk: Sdk
    ours: GeminiWebhooks

    async def send(self, call: Awaitable[Any], same: Awaitable[Any]) -> tuple[Any, Any]:
        """Make the SDK's call and ours; the requests must be the same."""
        replies = []
        requests = []
        for each in (call, same):
            replies.append(await each)
            requests += self.recorder.take()
        assert len(requests) == 2
        assert requests[0] == requests[1]
        return replies[0], replies[1]


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    gemini = Gemini(ManualClock())
    recorder = Recorder(gemini.app)
    async with serving(recorder) as url:
        options = genai.types.HttpOptions(
            base_url=url, retry_options=genai.types.HttpRetryOptions(attempts=1)
        )
        client = genai.Client(api_key=API_KEY, http_options=options)
        ours = GeminiWebhooks(api_key=API_KEY, base_url=url)
        yield Both(recorder, client.aio.webhooks, ours)
        await ours.close()
        await client.aio.aclose()
        client.close()
    await gemini.close()


def as_read(webhook: Any) -> Webhook:
    """Return what the relay needs of the SDK's object."""
    shown = webhook.model_dump(mode="json", exclude_none=True, warnings=False)
    shown.pop("new_signing_secret", None)
    return Webhook(
        id=webhook.id,
        name=webhook.name or "",
        uri=webhook.uri,
        events=frozenset(webhook.subscribed_events),
        state=webhook.state,
        description=shown,
    )


def assert_same(ours: Webhook, sdks: Any) -> None:
    # A description does not count in a comparison of two webhooks.
    assert ours == as_read(sdks)
    assert ours.description == as_read(sdks).description


async def test_create(both: Both) -> None:
    sdks, (ours, secret) = await both.send(
        both.sdk.create(name="ü", uri=URI, subscribed_events=EVENTS),
        both.ours.create("ü", URI, EVENTS),
    )
    assert secret.startswith("whsec_")
    assert sdks.new_signing_secret.startswith("whsec_")
    assert_same(ours, await both.sdk.get(id=ours.id))


async def test_list(both: Both) -> None:
    for number in range(3):
        await both.ours.create(f"n{number}", URI, EVENTS)
    both.recorder.take()
    sdks, (ours, token) = await both.send(both.sdk.list(page_size=2), both.ours.page(2))
    for one, other in zip(ours, sdks.webhooks, strict=True):
        assert_same(one, other)
    assert token == sdks.next_page_token
    sdks, (ours, token) = await both.send(
        both.sdk.list(page_size=2, page_token=token), both.ours.page(2, token)
    )
    assert ([each.id for each in ours], token) == ([sdks.webhooks[0].id], "")
    await both.send(both.sdk.list(), both.ours.page())
    await both.send(both.sdk.list(page_size=1000), both.ours.all())


async def test_get_and_update(both: Both) -> None:
    created, _ = await both.ours.create("ü", URI, EVENTS)
    both.recorder.take()
    sdks, ours = await both.send(both.sdk.get(id=created.id), both.ours.get(created.id))
    assert_same(ours, sdks)
    for changes in (
        {"name": "m"},
        {"state": "disabled"},
        {"state": "enabled", "uri": f"{URI}/2"},
        {"subscribed_events": ["batch.failed"]},
    ):
        sdks, ours = await both.send(
            both.sdk.update(id=created.id, **changes), both.ours.update(created.id, **changes)
        )
        assert_same(ours, sdks)


@pytest.mark.parametrize("identifier", ["k0h9-_~.", "a b", "ü"])
async def test_an_id_is_quoted_alike(both: Both, identifier: str) -> None:
    for call in (both.sdk.get(id=identifier), both.ours.get(identifier)):
        with pytest.raises(Exception, match="404"):
            await call
    sdks, ours = both.recorder.take()
    assert sdks == ours


async def test_ping(both: Both) -> None:
    created, _ = await both.ours.create("ü", URI, EVENTS)
    both.recorder.take()
    await both.send(both.sdk.ping(id=created.id), both.ours.ping(created.id))


@pytest.mark.parametrize(
    "behavior", ["revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately"]
)
async def test_rotate(both: Both, behavior: str) -> None:
    created, _ = await both.ours.create("ü", URI, EVENTS)
    both.recorder.take()
    sdks, ours = await both.send(
        both.sdk.rotate_signing_secret(id=created.id, revocation_behavior=behavior),
        both.ours.rotate(created.id, behavior),
    )
    assert sdks.secret.startswith("whsec_")
    assert ours.startswith("whsec_")


async def test_delete(both: Both) -> None:
    created = [await both.ours.create("ü", URI, EVENTS) for _ in range(2)]
    both.recorder.take()
    await both.sdk.delete(id=created[0][0].id)
    assert await both.ours.delete(created[1][0].id)
    sdks, ours = both.recorder.take()
    assert (sdks[0], sdks[2:]) == (ours[0], ours[2:])
    assert not await both.ours.delete("none")
