"""One topic's messages on their way: what waits while calls are under way shares the next one."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import grpc
import grpc.aio

from relay.errors import PublishRefused, PublishUnavailable, RelayError, Unavailable

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
    linger: float = 0.001
    """Seconds that a message waits for company, or for a call to end, while one is under way."""
    waiting: int = 5_000
    """Messages accepted and not yet confirmed."""
    waiting_size: int = 64 << 20
    """Bytes accepted and not yet confirmed."""


@dataclass(eq=False, slots=True)
class Entry:
    """A message on its way; `deadline` is in the loop's time."""

    message: bytes
    """A serialized `PublishRequest` of this message alone: what it takes in a call."""
    deadline: float
    result: asyncio.Future[str]


Send = Callable[[str, Sequence[Entry]], Awaitable[Sequence[str]]]
"""Makes one call with a topic's messages, and returns the ids that Pub/Sub gave them, in order."""


class Lane:
    """The messages for one topic, in the order of their arrival.

    Calls that may succeed later are tried again for as long as anybody waits; of messages that
    share a call, one that Pub/Sub refuses for good does not take the others along.
    """

    def __init__(self, topic: str, limits: Limits, send: Send) -> None:
        self._topic = topic
        self._limits = limits
        self._send = send
        self._queue: deque[Entry] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._next: asyncio.Handle | None = None

    def put(self, entry: Entry) -> None:
        """Send `entry` with the next call; its result says how that went."""
        self._queue.append(entry)
        if self._next is None and len(self._calls) < self._limits.calls:
            self._next = self._schedule()

    def _schedule(self) -> asyncio.Handle:
        loop = asyncio.get_running_loop()
        if self._calls:
            # A call costs far more than a message in it, so while Pub/Sub is quick to answer there
            # is but one; while it is not, a message waits no longer than this.
            return loop.call_later(self._limits.linger, self._start)
        # At the end of this turn of the loop, so that whatever else it brings can come along.
        return loop.call_soon(self._start)

    def _start(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        while len(self._calls) < self._limits.calls and (batch := self._take()):
            task = asyncio.get_running_loop().create_task(self._deliver(batch))
            self._calls.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._start()

    def _take(self) -> list[Entry]:
        batch: list[Entry] = []
        size = 0
        while self._queue and len(batch) < self._limits.messages:
            entry = self._queue[0]
            if batch and size + len(entry.message) > self._limits.size:
                break
            self._queue.popleft()
            if not entry.result.done():
                batch.append(entry)
                size += len(entry.message)
        return batch

    async def _deliver(self, batch: Sequence[Entry]) -> None:
        try:
            await self._attempt(batch)
        finally:
            # Closing the channel cancels the call; nobody is left to wait for nothing.
            fail(batch, partial(PublishUnavailable, "publish-closed"))

    async def _attempt(self, batch: Sequence[Entry]) -> None:
        delays = _delays()
        while waiting := [entry for entry in batch if not entry.result.done()]:
            try:
                _confirm(waiting, await self._send(self._topic, waiting))
            except Unavailable as error:
                fail(waiting, partial(PublishUnavailable, error.reason))
            except grpc.aio.UsageError:
                fail(waiting, partial(PublishUnavailable, "publish-closed"))
            except grpc.aio.AioRpcError as error:
                await self._retry_orfail(waiting, error, next(delays))

    async def _retry_orfail(
        self, batch: Sequence[Entry], error: grpc.aio.AioRpcError, delay: float
    ) -> None:
        code = error.code()
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            await self._part(batch, error)
        elif code in _TRANSIENT:
            await asyncio.sleep(delay)
        else:
            fail(batch, partial(PublishUnavailable, f"publish-{code.name.lower()}"))

    async def _part(self, batch: Sequence[Entry], error: grpc.aio.AioRpcError) -> None:
        # One bad message fails its whole call; halving finds it, and lets the others through.
        if len(batch) == 1:
            fail(batch, partial(PublishRefused, error.details() or ""))
            return
        middle = len(batch) // 2
        await asyncio.gather(self._deliver(batch[:middle]), self._deliver(batch[middle:]))


def _confirm(batch: Sequence[Entry], ids: Sequence[str]) -> None:
    if len(ids) != len(batch) or not all(ids):
        fail(batch, partial(PublishUnavailable, "publish-unconfirmed"))
        return
    for entry, message_id in zip(batch, ids, strict=True):
        if not entry.result.done():
            entry.result.set_result(message_id)


def fail(batch: Sequence[Entry], error: Callable[[], RelayError]) -> None:
    """End every message in `batch` that still waits with an error of its own."""
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
