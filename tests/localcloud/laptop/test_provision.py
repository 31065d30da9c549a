"""The push subscription is the stack's own; with kept state, its messages outlive a run."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from google.pubsub_v1.types import PubsubMessage

from localcloud.core import clients, rpc
from localcloud.core.clock import SystemClock
from localcloud.core.rpc import RpcError
from localcloud.laptop.names import Names
from localcloud.laptop.provision import provision
from localcloud.pubsub import PubSub
from tests.support.pubsub import Endpoint

NAMES = Names("p")


@contextlib.asynccontextmanager
async def serving(pubsub: PubSub) -> AsyncIterator[str]:
    listener = await rpc.listen(pubsub.services)
    try:
        yield listener.address
    finally:
        await listener.stop()
        await pubsub.close()


async def publish(address: str) -> None:
    async with clients.publisher(address) as publisher:
        await publisher.publish(topic=NAMES.ingress, messages=[PubsubMessage(data=b"x")])


async def test_kept_messages_are_pushed_to_the_next_endpoint_and_to_nobody_in_between() -> None:
    endpoint = Endpoint()
    endpoint.answer = {0: 503}
    first, second = (PubSub(SystemClock(), sender=endpoint) for _ in range(2))
    async with serving(first) as address:
        async with provision(NAMES, address, endpoint="http://127.0.0.1:1", keep=True):
            await publish(address)
        await publish(address)
        assert first.backlog(NAMES.dispatch) == 2
        assert not first.leased(NAMES.dispatch)
        second.restore(first.dump())
    async with (
        serving(second) as address,
        provision(NAMES, address, endpoint="http://127.0.0.1:2", keep=True),
    ):
        while second.backlog(NAMES.dispatch):  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert {each.url for each in endpoint.requests[-2:]} == {"http://127.0.0.1:2"}


async def test_otherwise_the_push_subscription_goes_with_the_stack() -> None:
    pubsub = PubSub(SystemClock(), sender=Endpoint())
    async with serving(pubsub) as address:
        for _ in range(2):
            async with provision(NAMES, address, endpoint="http://127.0.0.1:1"):
                assert pubsub.backlog(NAMES.dispatch) == 0
            with pytest.raises(RpcError):
                pubsub.backlog(NAMES.dispatch)
