import asyncio
import base64
import contextlib
import json
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.types import Message, Scope

from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.firestore import Firestore
from localcloud.pubsub import PubSub
from localcloud.runner.process import FunctionProcess
from relay.web.replies import Reply, silence_disconnect_errors
from tests.hostile.wire import post
from tests.support import signing

SCOPE: Scope = {"type": "http"}

# Where the first call of each function for a request is held up.
HELD = {
    "receive": "google.pubsub.v1.Publisher/Publish",
    "dispatch": "google.firestore.v1.Firestore/BatchWrite",
    "registrar": "google.firestore.v1.Firestore/BatchGetDocuments",
}


async def receive() -> Message:
    raise AssertionError


async def test_a_reply_can_be_sent_often_and_at_once() -> None:
    reply = Reply(503, b"{}", {"Retry-After": "5"})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    await asyncio.gather(*(reply(SCOPE, receive, send) for _ in range(3)))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert [message["status"] for message in starts] == [503] * 3
    assert dict(starts[0]["headers"]) == {
        b"retry-after": b"5",
        b"content-length": b"2",
        b"content-type": b"application/json",
    }


async def test_a_lost_connection_is_nobodys_error() -> None:
    async def send(_message: Message) -> None:
        raise RuntimeError("the handler is closed")

    await Reply(200, b"{}")(SCOPE, receive, send)


def test_uvicorn_does_not_log_what_reply_could_not_send() -> None:
    silence_disconnect_errors()
    silence_disconnect_errors()
    logger = logging.getLogger("uvicorn.error")

    def passes(message: str) -> bool:
        record = logging.makeLogRecord({"name": logger.name, "msg": message})
        return bool(logger.filter(record))

    assert not passes("ASGI callable returned without completing response.")
    assert passes("anything else")


def test_json_is_compact_and_takes_any_text() -> None:
    reply = Reply.json(200, {"reason": "é \ud800", "events": []})
    assert reply.body == b'{"reason":"\\u00e9 \\ud800","events":[]}'


@dataclass
class Gate:
    """A guard that holds up the calls of one method until it is opened."""

    method: str
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, call: rpc.Call) -> None:
        if call.method == self.method:
            self.reached.set()
            await self.opened.wait()


@pytest.fixture
async def gate(target: str) -> Gate:
    return Gate(HELD[target])


@pytest.fixture
async def emulators(gate: Gate) -> AsyncIterator[str]:
    """Both of them at one address, behind the gate."""
    async with contextlib.AsyncExitStack() as unwinding:
        services: dict[str, rpc.Service] = {}
        for emulator in (PubSub(SystemClock()), Firestore(SystemClock())):
            unwinding.push_async_callback(emulator.close)
            services |= emulator.services
        listener = await rpc.listen(services, guard=gate)
        unwinding.push_async_callback(listener.stop)
        yield listener.address


def environ(target: str, emulators: str) -> dict[str, str]:
    shared = {
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "PUBSUB_EMULATOR_HOST": emulators,
        "FIRESTORE_EMULATOR_HOST": emulators,
    }
    if target != "registrar":
        return {**shared, "WEBHOOK_SIGNING_SECRET": signing.secret()}
    return {
        **shared,
        "WEBHOOK_URI": "https://receive.example/",
        "SIGNING_SECRET": "projects/my-project/secrets/signing-secret",
        "GEMINI_API_KEY": "key",
        # Nobody listens there.
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1",
    }


def work(target: str) -> bytes:
    """A request that makes the function call an emulator."""
    if target == "registrar":
        return post([], target=b"/rotate")
    if target == "dispatch":
        attributes = {"webhook-id": "evt_1", "dedup-key": "evt_1", "scheme": "v1"}
        data = base64.b64encode(signing.BODY).decode()
        message = {"data": data, "attributes": attributes, "messageId": "1", "publishTime": "T"}
        return post([], json.dumps({"message": message}).encode())
    now = int(time.time())
    named = signing.headers(signing.v1(timestamp=now), timestamp=now)
    return post(signing.raw(named), signing.BODY)


@pytest.mark.parametrize("target", HELD)
async def test_a_lost_connection_with_requests_in_line_leaves_no_traceback(
    target: str, emulators: str, gate: Gate
) -> None:
    lines: list[str] = []
    function = FunctionProcess(
        target,
        target=target,
        environ=environ(target, emulators),
        on_line=lambda _, line: lines.append(line),
    )
    async with function:
        address = urlsplit(function.url)
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(work(target) * 3)
            async with asyncio.timeout(30):
                await gate.reached.wait()
            # No lingering: it is reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gate.opened.set()
        async with httpx2.AsyncClient(timeout=30) as client:
            assert (await client.put(function.url)).status_code in (404, 405)
        # Stops once every request has been handled.
        assert await function.terminate(timeout=30) == 0
    said = "\n".join(lines)
    assert "Traceback" not in said, said
    assert "without completing response" not in said
