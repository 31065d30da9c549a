"""The sink's own ceiling, which must be far above what any party asks of it."""

import asyncio
import time

from bench import load, parties
from bench.parties import Sink
from relay.gcp.channels import opener
from relay.gcp.publisher import BatchingPublisher, PublisherLimits

_SECONDS = 1.0


async def ceiling(sink: Sink) -> tuple[float, float]:
    """Return what the sink takes a second from a client that only sends: see `Received`."""
    open_channel = opener("", sink.address)
    batched = await _publish(BatchingPublisher(open_channel))
    single = await _publish(BatchingPublisher(open_channel, PublisherLimits(entries=1, calls=64)))
    return batched, single


async def _publish(publisher: BatchingPublisher) -> float:
    content, begun, sent = load.body(1), time.monotonic(), 0
    while (passed := time.monotonic() - begun) < _SECONDS:
        batch = [publisher.publish(parties.TOPIC, content, {}, timeout=10) for _ in range(2000)]
        sent += len(await asyncio.gather(*batch))
    await publisher.close()
    return sent / passed
