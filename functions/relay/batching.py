"""Natural batching: what waits while calls are under way goes out together in the next one."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol
from urllib.parse import quote

import grpc
import grpc.aio

from relay.channels import OpenChannel
from relay.errors import PublishRefused, PublishUnavailable, RelayError, Unavailable
from relay.pubsub_wire import PUBLISH, PublishRequest, PublishResponse, PubsubMessage

_TRANSIENT = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}
"""Codes after which the same call may succeed: those that Google's own publisher retries."""

_TICK = 0.02
"""Seconds by which a deadline may be noticed late."""


@dataclass(frozen=True)
class Limits:
    """What one publisher may hold and send at a time.

    Pub/Sub takes at most 1000 messages and 10 MB a call:
    https://cloud.google.com/pubsub/quotas#resource_limits
    """

    messages: int = 500
    """Messages in one call."""
    size: int = 9_000_000
    """Bytes in one call; a message larger than that goes alone."""
    calls: int = 4
    """Calls under way at once, for each topic."""
    waiting: int = 5_000
    """Messages accepted and not yet confirmed."""
    waiting_size: int = 64 << 20
    """Bytes accepted and not yet confirmed."""


@dataclass(eq=False, slots=True)
class _Entry:
    """A message on its way; `deadline` is in the loop's time."""

    message: Any
    size: int
    deadline: float
    result: asyncio.Future[str]


class _Send(Protocol):
    async def __call__(self, topic: str, batch: Sequence[_Entry]) -> Sequence[str]: ...


class BatchingPublisher:
    """A `relay.publisher.Publisher` over one gRPC channel.

    A lone message goes out at once. What arrives in the same turn of the loop, or while the
    allowed number of calls is under way, shares a call; yet each publish waits for its own result,
    keeps its own deadline, and is refused or retried for itself. A message whose publisher has
    given up waiting is not sent. Beyond the limits a publish fails at once rather than wait.

    Build it before the fork if you like; everything else belongs to one event loop.
    """

    def __init__(self, open_channel: OpenChannel, limits: Limits | None = None) -> None:
        self._open_channel = open_channel
        self._limits = limits or Limits()
        self._lanes: dict[str, _Lane] = {}
        self._connecting = asyncio.Lock()
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._waiting: set[_Entry] = set()
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
        message = _message(data, attributes)
        deadline = loop.time() + timeout
        entry = _Entry(message, message.ByteSize(), deadline, loop.create_future())
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
                    request_serializer=PublishRequest.SerializeToString,
                    response_deserializer=PublishResponse.FromString,
                )

    async def close(self) -> None:
        """Close the channel; publishes under way fail."""
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            await channel.close()

    def _admit(self, entry: _Entry) -> None:
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
        _fail(overdue, partial(PublishUnavailable, "publish-deadline"))
        self._watch = loop.call_later(_TICK, self._end_overdue) if self._waiting else None

    def _lane(self, topic: str) -> "_Lane":
        lane = self._lanes.get(topic)
        if lane is None:
            lane = self._lanes[topic] = _Lane(topic, self._limits, self._send)
        return lane

    async def _send(self, topic: str, batch: Sequence[_Entry]) -> Sequence[str]:
        if self._stub is None:
            await self.connect()
        request = PublishRequest(topic=topic, messages=[entry.message for entry in batch])
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


def _message(data: bytes, attributes: Mapping[str, str]) -> Any:
    message = PubsubMessage(data=data)
    entries = message.attributes
    try:
        # One by one: handing over the mapping takes half as long again.
        for key, value in attributes.items():
            entries[key] = value
        return message
    except ValueError:
        # A lone surrogate has no UTF-8: no retry will change that.
        raise PublishRefused("an attribute cannot be encoded as UTF-8") from None


@lru_cache(maxsize=256)
def _routing(topic: str) -> Sequence[tuple[str, str]]:
    # https://google.aip.dev/client-libraries/4222
    return (("x-goog-request-params", f"topic={quote(topic, safe='')}"),)


class _Lane:
    """The messages for one topic, in the order of their arrival."""

    def __init__(self, topic: str, limits: Limits, send: _Send) -> None:
        self._topic = topic
        self._limits = limits
        self._send = send
        self._queue: deque[_Entry] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def put(self, entry: _Entry) -> None:
        self._queue.append(entry)
        if not self._scheduled and len(self._calls) < self._limits.calls:
            # At the end of this turn of the loop, so that whatever else it brings can come along.
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self, _ended: object = None) -> None:
        self._scheduled = False
        while len(self._calls) < self._limits.calls and (batch := self._take()):
            task = asyncio.get_running_loop().create_task(self._deliver(batch))
            self._calls.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._start()

    def _take(self) -> list[_Entry]:
        batch: list[_Entry] = []
        size = 0
        while self._queue and len(batch) < self._limits.messages:
            entry = self._queue[0]
            if batch and size + entry.size > self._limits.size:
                break
            self._queue.popleft()
            if not entry.result.done():
                batch.append(entry)
                size += entry.size
        return batch

    async def _deliver(self, batch: Sequence[_Entry]) -> None:
        try:
            await self._attempt(batch)
        finally:
            # Closing the channel cancels the call; nobody is left to wait for nothing.
            _fail(batch, partial(PublishUnavailable, "publish-closed"))

    async def _attempt(self, batch: Sequence[_Entry]) -> None:
        delays = _delays()
        while waiting := [entry for entry in batch if not entry.result.done()]:
            try:
                _confirm(waiting, await self._send(self._topic, waiting))
            except Unavailable as error:
                _fail(waiting, partial(PublishUnavailable, error.reason))
            except grpc.aio.UsageError:
                _fail(waiting, partial(PublishUnavailable, "publish-closed"))
            except grpc.aio.AioRpcError as error:
                await self._retry_or_fail(waiting, error, next(delays))

    async def _retry_or_fail(
        self, batch: Sequence[_Entry], error: grpc.aio.AioRpcError, delay: float
    ) -> None:
        code = error.code()
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            await self._part(batch, error)
        elif code in _TRANSIENT:
            await asyncio.sleep(delay)
        else:
            _fail(batch, partial(PublishUnavailable, f"publish-{code.name.lower()}"))

    async def _part(self, batch: Sequence[_Entry], error: grpc.aio.AioRpcError) -> None:
        # One bad message fails its whole call; halving finds it, and lets the others through.
        if len(batch) == 1:
            _fail(batch, partial(PublishRefused, error.details() or ""))
            return
        middle = len(batch) // 2
        await asyncio.gather(self._deliver(batch[:middle]), self._deliver(batch[middle:]))


def _confirm(batch: Sequence[_Entry], ids: Sequence[str]) -> None:
    if len(ids) != len(batch) or not all(ids):
        _fail(batch, partial(PublishUnavailable, "publish-unconfirmed"))
        return
    for entry, message_id in zip(batch, ids, strict=True):
        if not entry.result.done():
            entry.result.set_result(message_id)


def _fail(batch: Sequence[_Entry], error: Callable[[], RelayError]) -> None:
    for entry in batch:
        if not entry.result.done():
            # One each: a shared exception would gather the tracebacks of all who raise it.
            entry.result.set_exception(error())


def _delays() -> Iterator[float]:
    """Yield the seconds to wait before each further attempt: doubling, bounded, with jitter."""
    delay = 0.05
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        delay = min(0.8, 2 * delay)
