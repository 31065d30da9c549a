from collections.abc import AsyncIterator

import pytest

from relay.gcp.batching import BatchingPublisher
from relay.gcp.publisher import Publisher, create_publisher
from tests.support.publish_sink import Sink


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    made = Sink()
    await made.start()
    yield made
    await made.stop()


async def test_it_publishes_to_the_emulator_that_is_named(sink: Sink) -> None:
    made = create_publisher({"PUBSUB_EMULATOR_HOST": sink.address})
    publisher: Publisher = made
    assert await publisher.publish("projects/p/topics/t", b"x", {}, timeout=30) == "1"
    await made.close()


def test_it_is_made_without_an_event_loop() -> None:
    assert isinstance(create_publisher({}), BatchingPublisher)
