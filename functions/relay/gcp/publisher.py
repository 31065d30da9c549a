"""Publishing to Pub/Sub from an event loop: messages that arrive together share a call."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from relay.environment import Environment
from relay.errors import PublishUnavailable
from relay.gcp.batches import BatchQueue, Limits, fail
from relay.gcp.channels import Connection, OpenChannel, opener
from relay.gcp.publish_call import Entry, PublishCalls, Stub, publish_stub, serialize

_TICK = 0.02
"""Seconds by which a deadline may be noticed late."""


class Publisher(Protocol):
    """What a hop needs of Pub/Sub."""

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        """Publish one message to `projects/…/topics/…` and return the id that Pub/Sub gave it.

        Returns only once Pub/Sub has confirmed it. `timeout` is in seconds, and includes the wait
        in the queue. Raises `PublishUnavailable` where a retry may succeed, and `PublishRefused`
        where Pub/Sub called this very message an invalid argument.
        """
        ...


@dataclass(frozen=True)
class PublisherLimits(Limits):
    """What one publisher may hold, and send at a time to each topic."""

    waiting: int = 5_000
    """Messages accepted and not yet confirmed."""
    waiting_size: int = 64 << 20
    """Bytes accepted and not yet confirmed."""


class BatchingPublisher:
    """A `Publisher` over one gRPC channel.

    A lone message is sent at once. Messages that arrive in the same turn of the loop, or while the
    allowed number of calls is in flight, share a call; yet each publish has its own result,
    deadline, refusal and retries. A message whose publisher has stopped waiting is not sent. Beyond
    the limits a publish fails at once rather than wait.

    It may be built before the server forks, and then belongs to one event loop.
    """

    def __init__(self, open_channel: OpenChannel, limits: PublisherLimits | None = None) -> None:
        self._connection: Connection[Stub] = Connection(open_channel, publish_stub)
        self._limits = limits or PublisherLimits()
        self._queues: dict[str, BatchQueue[Entry]] = {}
        self._waiting: set[Entry] = set()
        self._waiting_size = 0
        self._watch: asyncio.TimerHandle | None = None

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        """Publish one message and return the id that Pub/Sub gave it; see `Publisher`."""
        loop = asyncio.get_running_loop()
        entry = Entry(serialize(data, attributes), loop.time() + timeout, loop.create_future())
        self._admit(entry)
        try:
            self._queue(topic).put(entry)
            return await entry.result
        finally:
            self._waiting.discard(entry)
            self._waiting_size -= entry.size

    async def close(self) -> None:
        """Close the channel; publishes in flight fail."""
        await self._connection.close()

    def _admit(self, entry: Entry) -> None:
        full = len(self._waiting) >= self._limits.waiting
        if full or self._waiting_size + entry.size > self._limits.waiting_size:
            raise PublishUnavailable("publish-queue-full")
        self._waiting.add(entry)
        self._waiting_size += entry.size
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(_TICK, self._end_overdue)

    def _end_overdue(self) -> None:
        # One timer for all: of thousands of deadlines a second hardly any passes.
        loop = asyncio.get_running_loop()
        now = loop.time()
        overdue = [entry for entry in self._waiting if entry.deadline <= now]
        fail(overdue, partial(PublishUnavailable, "publish-deadline"))
        self._watch = loop.call_later(_TICK, self._end_overdue) if self._waiting else None

    def _queue(self, topic: str) -> BatchQueue[Entry]:
        queue = self._queues.get(topic)
        if queue is None:
            calls = PublishCalls(topic, self._connection)
            queue = self._queues[topic] = BatchQueue(self._limits, calls.deliver)
        return queue


def create_publisher(environ: Mapping[str, str]) -> BatchingPublisher:
    """Make the publisher of one function, to Pub/Sub or to `PUBSUB_EMULATOR_HOST`.

    Safe to call before the server forks: it connects at the first message.
    """
    emulator = Environment(environ).text("PUBSUB_EMULATOR_HOST")
    return BatchingPublisher(opener("pubsub.googleapis.com", emulator))
