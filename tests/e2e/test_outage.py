"""Pub/Sub refuses, hangs or is gone: nothing is acknowledged that was not stored."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import httpx2
import pytest
import pytest_asyncio

from localcloud.core.rpc import Call, RpcError
from localcloud.gemini.outgoing import Message, Signers, sign
from tests.e2e.conftest import PUBLISH, WRITE, World, identifier

# Longer than any promised answer, far shorter than a hang.
CLIENT_TIMEOUT = 20.0


@pytest_asyncio.fixture(loop_scope="session")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=CLIENT_TIMEOUT) as opened:
        yield opened


def genuine(name: str) -> Message:
    body = b'{"type":"batch.succeeded","version":"v1","data":{"id":"%b"}}' % name.encode()
    return Message(f"evt_{name}", body, None, 300, True)


async def deliver(world: World, client: httpx2.AsyncClient, name: str) -> httpx2.Response:
    """Make one genuine delivery, once, and return its answer."""
    gemini = world.stack.gemini
    signers = Signers([], gemini.keys.ed25519, lambda: gemini.keys.rsa)
    request = sign(genuine(name), "v1a", int(gemini.clock.time()), signers)
    return await client.post(world.uri, content=request.body, headers=dict(request.headers))


def refusing(code: grpc.StatusCode) -> Callable[[Call], Awaitable[None]]:
    async def refuse(call: Call) -> None:
        if call.method == PUBLISH:
            raise RpcError(code, "an outage")

    return refuse


async def hang(call: Call) -> None:
    if call.method == PUBLISH:
        await asyncio.Event().wait()


async def assert_put_off(world: World, client: httpx2.AsyncClient, name: str) -> None:
    answer = await deliver(world, client, name)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert f"evt_{name}" not in world.stored()


async def assert_taken(world: World, client: httpx2.AsyncClient, name: str) -> None:
    answer = await deliver(world, client, name)
    assert answer.status_code == 200
    assert f"evt_{name}" in world.stored()


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.INVALID_ARGUMENT,
    ],
)
async def test_no_delivery_is_acknowledged_while_pubsub_refuses(
    world: World, client: httpx2.AsyncClient, code: grpc.StatusCode
) -> None:
    with world.faults.injected(refusing(code)):
        await assert_put_off(world, client, f"refused-{code.name}")

    await assert_taken(world, client, f"refused-{code.name}")


async def test_no_delivery_is_acknowledged_while_pubsub_hangs(
    world: World, client: httpx2.AsyncClient
) -> None:
    with world.faults.injected(hang):
        await asyncio.gather(*(assert_put_off(world, client, f"hung-{n}") for n in range(10)))

    await assert_taken(world, client, "hung-0")


async def test_no_delivery_is_acknowledged_while_pubsub_is_unreachable(
    world: World, client: httpx2.AsyncClient
) -> None:
    before = world.stack.receive.pid
    await world.stack.interrupt()
    try:
        await assert_put_off(world, client, "gone")
    finally:
        await world.stack.resume()

    async with asyncio.timeout(30):
        while (await deliver(world, client, "gone")).status_code != 200:
            pass
    assert "evt_gone" in world.stored()
    assert world.stack.receive.pid == before


async def test_a_delivery_repeated_after_an_outage_arrives_once(world: World) -> None:
    async with world.subscribed() as inbox:
        with world.faults.injected(refusing(grpc.StatusCode.UNAVAILABLE)):
            deliveries = [world.emit("batch.succeeded") for _ in range(5)]
            for each in deliveries:
                assert (await world.answered(each))[0] == 503
        ids = [identifier(each) for each in deliveries]
        await inbox.until(*ids)
        await world.settled([delivery for each in deliveries for delivery in each])

        assert all(each[0].state == "delivered" for each in deliveries)
        assert sorted(each for each in inbox.ids() if each in ids) == sorted(ids)


async def test_every_acknowledged_delivery_is_stored(
    world: World, client: httpx2.AsyncClient
) -> None:
    calls = 0

    async def every_third(call: Call) -> None:
        nonlocal calls
        if call.method == PUBLISH:
            calls += 1
            if calls % 3 == 0:
                raise RpcError(grpc.StatusCode.UNAVAILABLE, "now and then")

    with world.faults.injected(every_third):
        names = [f"flaky-{number}" for number in range(60)]
        answers = [await deliver(world, client, name) for name in names]

    assert {answer.status_code for answer in answers} <= {200, 503}
    acknowledged = {
        f"evt_{name}"
        for name, answer in zip(names, answers, strict=True)
        if answer.status_code == 200
    }
    assert acknowledged
    assert acknowledged <= world.stored()


@pytest.mark.parametrize("method", [WRITE, PUBLISH])
@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED])
async def test_an_event_survives_an_outage_of_the_ledger_or_a_topic(
    world: World, method: str, code: grpc.StatusCode
) -> None:
    failed = asyncio.Event()

    async def fail(call: Call) -> None:
        topic = getattr(call.request, "topic", "")
        if call.method == method and topic != world.stack.names.ingress:
            failed.set()
            raise RpcError(code, "an outage")

    async with world.subscribed() as inbox:
        with world.faults.injected(fail):
            deliveries = world.emit("batch.succeeded")
            assert await world.taken(deliveries)
            async with asyncio.timeout(30):
                await failed.wait()

        await inbox.until(identifier(deliveries))
        await world.dispatched()


async def test_an_event_waits_for_a_stopped_dispatcher(world: World) -> None:
    async with world.subscribed() as inbox:
        await world.stack.dispatch.terminate()
        try:
            deliveries = world.emit("batch.succeeded")
            assert await world.taken(deliveries)
        finally:
            await world.stack.dispatch.start()

        await inbox.until(identifier(deliveries))
