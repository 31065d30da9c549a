from collections.abc import AsyncIterator

import pytest

from tests.relay.gcp.publishing import Make, publishers
from tests.support.publish_sink import Sink


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    made = Sink()
    await made.start()
    yield made
    made.gate.set()
    await made.stop()


@pytest.fixture
async def make(sink: Sink) -> AsyncIterator[Make]:
    async with publishers(sink) as made:
        yield made
