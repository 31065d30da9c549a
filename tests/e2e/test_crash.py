"""A dispatcher killed at any point: the event still arrives, unchanged, at most twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
import pytest_asyncio

from localcloud.core.rpc import Call, RpcError
from tests.e2e.conftest import PUBLISH, WRITE, World, identifier

BLUE = {"team": "blue"}


@dataclass
class Killer:
    """Kills the dispatcher, once, at a call that `when` chooses, before or after its effect."""

    world: World
    when: Callable[[Call], bool]
    after_effect: bool = False
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, call: Call) -> None:
        if self.killed.is_set() or not self.when(call):
            return
        self.killed.set()
        if self.after_effect:
            await self._take_effect(call)
        await self.world.stack.dispatch.kill()
        raise RpcError(grpc.StatusCode.UNAVAILABLE, "the caller is dead")

    async def _take_effect(self, call: Call) -> None:
        service, _, method = call.method.rpartition("/")
        emulators = (self.world.stack.pubsub, self.world.stack.firestore)
        for emulator in emulators:
            if emulator and service in emulator.services:
                await emulator.services[service][method].handler(call.request)


def nth(number: int, wanted: Callable[[Call], bool]) -> Callable[[Call], bool]:
    """Choose the nth call that is wanted, from 1."""
    seen = 0

    def chosen(call: Call) -> bool:
        nonlocal seen
        seen += wanted(call)
        return wanted(call) and seen == number

    return chosen


def commit(call: Call) -> bool:
    return call.method == WRITE


def event_publish(call: Call) -> bool:
    request: Any = call.request
    return call.method == PUBLISH and not request.topic.endswith("-ingress")


# tests/crash enumerates every other point without processes.
POINTS: dict[str, Callable[[World], Killer]] = {
    "after the claim": lambda world: Killer(world, nth(1, commit), after_effect=True),
    "between two routes": lambda world: Killer(world, nth(2, event_publish)),
    "after the last publish": lambda world: Killer(world, nth(2, event_publish), after_effect=True),
    "before the completion": lambda world: Killer(world, nth(2, commit)),
}


@pytest_asyncio.fixture(loop_scope="session")
async def quiet(world: World) -> AsyncIterator[World]:
    """The shared stack, with no event in flight before and after the test."""
    await world.dispatched()
    yield world
    for function in (world.stack.receive, world.stack.dispatch):
        if function.pid is None:
            await function.start()
    await world.dispatched()


@pytest.mark.parametrize("point", POINTS)
async def test_an_event_survives_a_kill(quiet: World, point: str) -> None:
    killer = POINTS[point](quiet)
    async with quiet.subscribed() as events, quiet.subscribed(topic="blue") as blue:
        with quiet.faults.injected(killer):
            deliveries = quiet.emit("batch.succeeded", user_metadata=BLUE)
            event = identifier(deliveries)
            async with asyncio.timeout(60):
                await killer.killed.wait()
            await quiet.stack.dispatch.wait()
            await quiet.stack.dispatch.start()
        await events.until(event)
        await blue.until(event)
        await quiet.dispatched()
        # Whatever was published before this marker arrives no later than it.
        marker = identifier(quiet.emit("batch.expired", user_metadata=BLUE))
        await events.until(marker)
        await blue.until(marker)

    for inbox in (events, blue):
        copies = inbox.of(event)
        assert 1 <= len(copies) <= 2
        assert {copy.data for copy in copies} == {deliveries[0].message.body}


async def test_a_killed_receiver_has_not_acknowledged_the_delivery(quiet: World) -> None:
    reached = asyncio.Event()

    async def kill(call: Call) -> None:
        request: Any = call.request
        if call.method == PUBLISH and request.topic.endswith("-ingress") and not reached.is_set():
            reached.set()
            await quiet.stack.receive.kill()
            raise RpcError(grpc.StatusCode.UNAVAILABLE, "the caller is dead")

    async with quiet.subscribed() as inbox:
        with quiet.faults.injected(kill):
            deliveries = quiet.emit("batch.succeeded")
            (status,) = await quiet.answered(deliveries)
        await quiet.stack.receive.wait()
        await quiet.stack.receive.start()
        await inbox.until(identifier(deliveries))
        await quiet.settled(deliveries)

    assert status is None
    assert deliveries[0].state == "delivered"


async def test_a_stopping_receiver_answers_the_delivery_in_flight(quiet: World) -> None:
    publishing, goes_on = asyncio.Event(), asyncio.Event()

    async def linger(call: Call) -> None:
        request: Any = call.request
        if call.method == PUBLISH and request.topic.endswith("-ingress"):
            publishing.set()
            await goes_on.wait()

    # It has its keys, for which a busy machine may have needed several attempts.
    assert await quiet.taken(quiet.emit("batch.expired"))
    async with idle_connection(quiet.stack.receive.url) as idle:
        with quiet.faults.injected(linger):
            deliveries = quiet.emit("batch.succeeded")
            await publishing.wait()
            stopping = asyncio.create_task(quiet.stack.receive.terminate())
            # A server that has begun to stop closes idle connections.
            await idle.read()
            goes_on.set()
            assert await quiet.answered(deliveries) == [200]
            assert await stopping == 0
    assert identifier(deliveries) in quiet.stored()


@contextlib.asynccontextmanager
async def idle_connection(url: str) -> AsyncIterator[asyncio.StreamReader]:
    """Open a connection, make one request, and keep it; yield what comes after the answer."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        await reader.readexactly(length)
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()
