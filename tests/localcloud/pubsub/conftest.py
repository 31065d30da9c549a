import asyncio
from collections.abc import AsyncIterator

import pytest

from localcloud.core.clock import ManualClock
from localcloud.pubsub import PubSub
from tests.support.pubsub import Calls, Endpoint


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def pubsub(clock: ManualClock, endpoint: Endpoint) -> AsyncIterator[Calls]:
    """An embedded Pub/Sub with one topic; closing it must leave nothing on the loop."""
    embedded = PubSub(clock, sender=endpoint)
    calls = Calls(clock, embedded)
    await calls.topic()
    yield calls
    await embedded.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
