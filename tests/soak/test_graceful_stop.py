"""SIGTERM under load, as Cloud Run sends it: whatever is being handled is answered and finished."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio

from localcloud.core.rpc import Call
from localcloud.gemini.outgoing import Message, Signers, sign
from localcloud.laptop import stack
from localcloud.runner.process import FunctionProcess
from relay.gcp.batching import PublisherLimits

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("graceful-stop")]

PUBLISH = "google.pubsub.v1.Publisher/Publish"

# What Cloud Run gives; the supervisor kills what is left after it, and the exit status shows that.
GRACE = 10.0


class Hold:
    """Holds the calls of Publish to one topic while it is closed."""

    def __init__(self) -> None:
        self.topic = ""
        self.messages = 0
        self.reached = asyncio.Condition()
        self.opened = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        request: Any = call.request
        if call.method == PUBLISH and request.topic == self.topic and not self.opened.is_set():
            async with self.reached:
                self.messages += len(request.messages)
                self.reached.notify_all()
            await self.opened.wait()

    @contextlib.asynccontextmanager
    async def closed(self, topic: str) -> AsyncIterator[None]:
        self.topic, self.messages = topic, 0
        self.opened.clear()
        try:
            yield
        finally:
            self.opened.set()

    async def until(self, messages: int) -> None:
        async with asyncio.timeout(60), self.reached:
            await self.reached.wait_for(lambda: self.messages >= messages)


class World:
    def __init__(self, running: stack.Stack, hold: Hold, client: httpx2.AsyncClient) -> None:
        self.stack = running
        self.hold = hold
        self.client = client

    async def deliver(self, name: str) -> int:
        gemini = self.stack.gemini
        body = b'{"type":"batch.succeeded","version":"v1","data":{"id":"%b"}}' % name.encode()
        signers = Signers([], gemini.keys.ed25519, lambda: gemini.keys.rsa)
        message = Message(name, body, None, 300, token_id=True)
        request = sign(message, "v1a", int(gemini.clock.time()), signers)
        return await self._post(self.stack.receive.url, request.body, dict(request.headers))

    async def push(self, name: str) -> int:
        body = json.dumps({"type": "batch.succeeded", "data": {"id": name}}).encode()
        attributes = {"webhook-id": name, "dedup-key": name, "scheme": "v1"}
        message = {
            "data": base64.b64encode(body).decode(),
            "attributes": attributes,
            "messageId": name,
        }
        envelope = {"message": message, "subscription": self.stack.names.dispatch}
        headers = {"content-type": "application/json"}
        return await self._post(self.stack.dispatch.url, json.dumps(envelope).encode(), headers)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        answer = await self.client.post(url, content=body, headers=headers)
        return answer.status_code

    def stored(self, topic: str, attribute: str) -> list[str]:
        assert self.stack.pubsub
        messages = self.stack.pubsub.published(topic)
        return [message.attributes[attribute] for message in messages]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    hold = Hold()
    options = stack.Options(guard=hold, environ={})
    async with (
        stack.run(options) as running,
        httpx2.AsyncClient(timeout=60, trust_env=False) as client,
    ):
        yield World(running, hold, client)


@contextlib.asynccontextmanager
async def stopping(function: FunctionProcess) -> AsyncIterator[asyncio.Task[int | None]]:
    """Send SIGTERM; enter the block once the worker is at it, and start anew after it.

    An idle connection tells: a server that stops closes it.
    """
    parts = urlsplit(function.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"OPTIONS / HTTP/1.1\r\nhost: function\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    ending = asyncio.create_task(function.terminate(timeout=GRACE))
    async with asyncio.timeout(60):
        await reader.read()
    writer.close()
    try:
        yield ending
    finally:
        await ending
        await function.start()


async def test_a_receiver_that_stops_answers_what_it_handles_once_that_is_stored(
    world: World,
) -> None:
    topic = world.stack.names.ingress
    # As many as there may be calls under way, so that each is in one.
    names = [f"held-{number}" for number in range(PublisherLimits().calls)]
    assert await world.deliver("warm") == 200
    async with world.hold.closed(topic):
        under_way = [asyncio.create_task(world.deliver(name)) for name in names]
        await world.hold.until(len(names))
        async with stopping(world.stack.receive) as ending:
            world.hold.opened.set()
            assert await asyncio.gather(*under_way) == [200] * len(names)
            assert await ending == 0
    assert set(names) <= set(world.stored(topic, "webhook-id"))


async def test_a_dispatcher_that_stops_finishes_what_it_handles(world: World) -> None:
    topic = world.stack.names.events
    async with world.hold.closed(topic):
        under_way = asyncio.create_task(world.push("finished"))
        await world.hold.until(1)
        async with stopping(world.stack.dispatch) as ending:
            world.hold.opened.set()
            assert await under_way == 204
            assert await ending == 0
    assert world.stored(topic, "ce-id").count("finished") == 1
    # Again: the ledger says that it is done.
    assert await world.push("finished") == 204
    assert world.stored(topic, "ce-id").count("finished") == 1


async def test_a_dispatcher_that_cannot_finish_gives_its_lease_back(world: World) -> None:
    topic = world.stack.names.events
    async with world.hold.closed(topic):
        under_way = asyncio.create_task(world.push("put-off"))
        await world.hold.until(1)
        async with stopping(world.stack.dispatch) as ending:
            assert await under_way == 503
            assert await ending == 0
    # A lease that were alive would be answered with 409.
    assert await world.push("put-off") == 204
    assert world.stored(topic, "ce-id").count("put-off") == 1
