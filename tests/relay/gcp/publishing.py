"""Publishing to a sink: what the tests of the publisher and of its calls share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from relay.gcp.channels import opener
from relay.gcp.publisher import BatchingPublisher, PublisherLimits
from tests.support.publish_sink import Sink

TOPIC = "projects/my-project/topics/ingress"
Make = Callable[..., BatchingPublisher]
"""Makes a publisher with the limits given."""


@asynccontextmanager
async def publishers(sink: Sink) -> AsyncIterator[Make]:
    """Give what makes publishers to a sink, and close them at the end."""
    made: list[BatchingPublisher] = []

    def make(**limits: Any) -> BatchingPublisher:
        open_channel = opener("pubsub.googleapis.com", sink.address)
        made.append(BatchingPublisher(open_channel, PublisherLimits(**limits)))
        return made[-1]

    yield make
    for publisher in made:
        await publisher.close()


async def publish(
    publisher: BatchingPublisher, data: bytes = b"x", topic: str = TOPIC, timeout: float = 30
) -> str:
    return await publisher.publish(topic, data, {"kind": "test"}, timeout=timeout)


def start(
    publisher: BatchingPublisher, *data: bytes, timeout: float = 30
) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(publish(publisher, each, timeout=timeout)) for each in data]


async def outcomes(tasks: list[asyncio.Task[str]]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)
