"""Batching that holds nothing up: what waits while calls are under way shares the next one."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar


@dataclass(frozen=True)
class Limits:
    """What one lane may send at a time.

    Pub/Sub takes at most 1000 messages and 10 MB a call, Firestore 10 MiB:
    https://cloud.google.com/pubsub/quotas#resource_limits
    https://cloud.google.com/firestore/quotas#limits
    """

    entries: int = 500
    """Entries in one call."""
    size: int = 9_000_000
    """Bytes in one call; an entry larger than that goes alone."""
    calls: int = 4
    """Calls under way at once."""
    linger: float = 0.001
    """Seconds that an entry waits for company, or for a call to end, while one is under way."""


class Waiting(Protocol):
    """An entry of a lane: something to send, and somebody who waits to hear how that went."""

    @property
    def result(self) -> asyncio.Future[Any]:
        """What is waited for; done before it is sent if nobody waits any more."""
        ...

    @property
    def size(self) -> int:
        """Bytes that it takes in a call."""
        ...


E = TypeVar("E", bound=Waiting)


class Lane(Generic[E]):
    """Entries in the order of their arrival, on their way in calls that they share.

    A lone entry goes out at the end of the present turn of the loop, with whatever else that turn
    brings. `deliver` makes the call, and ends each entry that it was given. It belongs to one event
    loop.
    """

    def __init__(
        self, limits: Limits, deliver: Callable[[Sequence[E]], Coroutine[Any, Any, None]]
    ) -> None:
        self._limits = limits
        self._deliver = deliver
        self._queue: deque[E] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._next: asyncio.Handle | None = None

    def put(self, entry: E) -> None:
        """Send `entry` with the next call; its result says how that went."""
        self._queue.append(entry)
        if self._next is None and len(self._calls) < self._limits.calls:
            self._next = self._schedule()

    def _schedule(self) -> asyncio.Handle:
        loop = asyncio.get_running_loop()
        if self._calls:
            # A call costs far more than an entry in it, so while the service is quick to answer
            # there is but one; while it is not, an entry waits no longer than this.
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

    def _take(self) -> list[E]:
        batch: list[E] = []
        size = 0
        while self._queue and len(batch) < self._limits.entries:
            entry = self._queue[0]
            if batch and size + entry.size > self._limits.size:
                break
            self._queue.popleft()
            if not entry.result.done():
                batch.append(entry)
                size += entry.size
        return batch


def fail(batch: Sequence[Waiting], error: Callable[[], Exception]) -> None:
    """End every entry in `batch` that still waits with an error of its own."""
    for entry in batch:
        if not entry.result.done():
            # One each: a shared exception would gather the tracebacks of all who raise it.
            entry.result.set_exception(error())
