"""A publisher that batches naturally: no message waits for another, those that meet go together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from relay.errors import PublishRefused, PublishUnavailable
from relay.gcp.batches import Lane, Limits, fail
from relay.gcp.channels import OpenChannel
from relay.gcp.publish_calls import Entry, PublishCalls
from relay.gcp.pubsub_wire import PUBLISH, PublishRequest, PublishResponse

if TYPE_CHECKING:
    import grpc.aio

_TICK = 0.02
"""Seconds by which a deadline may be noticed late."""


@dataclass(frozen=True)
class PublisherLimits(Limits):
    """What one publisher may hold, and send at a time to each topic."""

    waiting: int = 5_000
    """Messages accepted and not yet confirmed."""
    waiting_size: int = 64 << 20
    """Bytes accepted and not yet confirmed."""


class BatchingPublisher:
    """A `relay.gcp.publisher.Publisher` over one gRPC channel.

    A lone message goes out at once. What arrives in the same turn of the loop, or while the
    allowed number of calls is under way, shares a call; yet each publish waits for its own result,
    keeps its own deadline, and is refused or retried for itself. A message whose publisher has
    given up waiting is not sent. Beyond the limits a publish fails at once rather than wait.

    Build it before the fork if you like; everything else belongs to one event loop.
    """

    def __init__(self, open_channel: OpenChannel, limits: PublisherLimits | None = None) -> None:
        self._open_channel = open_channel
        self._limits = limits or PublisherLimits()
        self._lanes: dict[str, Lane[Entry]] = {}
        self._connecting = asyncio.Lock()
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._waiting: set[Entry] = set()
        self._waiting_size = 0
        self._watch: asyncio.TimerHandle | None = None

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        """Publish one message to `projects/…/topics/…` and return the id that Pub/Sub gave it.

        Returns only once Pub/Sub has confirmed it. `timeout` is in seconds, and covers the wait
        in the queue too. Raises `PublishUnavailable` where trying again may succeed, and
        `PublishRefused` where Pub/Sub called this very message an invalid argument.
        """
        loop = asyncio.get_running_loop()
        entry = Entry(_message(data, attributes), loop.time() + timeout, loop.create_future())
        self._admit(entry)
        try:
            self._lane(topic).put(entry)
            return await entry.result
        finally:
            self._waiting.discard(entry)
            self._waiting_size -= entry.size

    async def connect(self) -> None:
        """Open the channel and start to connect, so that the first message need not wait for it.

        Raises `Unavailable` when there are no credentials to connect with.
        """
        async with self._connecting:
            if self._channel is None:
                self._channel = await self._open_channel()
                self._channel.get_state(try_to_connect=True)
                self._stub = self._channel.unary_unary(
                    PUBLISH,
                    # Requests are put together as bytes.
                    request_serializer=None,
                    response_deserializer=PublishResponse.FromString,
                )

    async def close(self) -> None:
        """Close the channel; publishes under way fail."""
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            await channel.close()

    def _admit(self, entry: Entry) -> None:
        full = len(self._waiting) >= self._limits.waiting
        if full or self._waiting_size + entry.size > self._limits.waiting_size:
            raise PublishUnavailable("publish-queue-full")
        self._waiting.add(entry)
        self._waiting_size += entry.size
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(_TICK, self._end_overdue)

    def _end_overdue(self) -> None:
        # One timer for all: thousands of deadlines a second, of which hardly any passes.
        loop = asyncio.get_running_loop()
        now = loop.time()
        overdue = [entry for entry in self._waiting if entry.deadline <= now]
        fail(overdue, partial(PublishUnavailable, "publish-deadline"))
        self._watch = loop.call_later(_TICK, self._end_overdue) if self._waiting else None

    def _lane(self, topic: str) -> Lane[Entry]:
        lane = self._lanes.get(topic)
        if lane is None:
            lane = self._lanes[topic] = Lane(self._limits, PublishCalls(topic, self._send).deliver)
        return lane

    async def _send(self, topic: str, batch: Sequence[Entry]) -> Sequence[str]:
        if self._stub is None:
            await self.connect()
        request = b"".join((_topic(topic), *(entry.message for entry in batch)))
        remaining = max(entry.deadline for entry in batch) - asyncio.get_running_loop().time()
        reply = await self._stub(
            request,
            timeout=remaining,
            metadata=_routing(topic),
            # While there is no connection the call waits for one: recovery needs no further retry.
            wait_for_ready=True,
        )
        ids: Sequence[str] = reply.message_ids
        return ids


def _message(data: bytes, attributes: Mapping[str, str]) -> bytes:
    """Return a request that holds one message and no topic.

    Protobuf messages that are written one after the other read as one, with all that they repeat:
    https://protobuf.dev/programming-guides/encoding/#last-one-wins
    """
    request = PublishRequest()
    message = request.messages.add(data=data)
    entries = message.attributes
    try:
        # One by one: handing over the mapping takes half as long again.
        for key, value in attributes.items():
            entries[key] = value
        # At once: the bytes take less to keep, and to send with others, than the message does.
        return cast("bytes", request.SerializeToString())
    except ValueError:
        # A lone surrogate has no UTF-8: no retry will change that.
        raise PublishRefused("an attribute cannot be encoded as UTF-8") from None


@lru_cache(maxsize=256)
def _topic(topic: str) -> bytes:
    return cast("bytes", PublishRequest(topic=topic).SerializeToString())


@lru_cache(maxsize=256)
def _routing(topic: str) -> Sequence[tuple[str, str]]:
    # https://google.aip.dev/client-libraries/4222
    return (("x-goog-request-params", f"topic={quote(topic, safe='')}"),)
