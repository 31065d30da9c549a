"""A queue that sends in batches without delay: what waits during a call shares the next one."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar


@dataclass(frozen=True)
class Limits:
    """What one queue may send at a time.

    Pub/Sub takes at most 1000 messages and 10 MB a call, Firestore 10 MiB:
    https://cloud.google.com/pubsub/quotas#resource_limits
    https://cloud.google.com/firestore/quotas#limits
    """

    entries: int = 500
    """Entries in one call."""
    size: int = 9_000_000
    """Bytes in one call; a larger entry is sent alone."""
    calls: int = 4
    """Calls in flight at once."""
    linger: float = 0.001
    """Seconds that an entry waits for more entries, or for a free call, while one is in flight."""


class Waiting(Protocol):
    """An entry of a queue: something to send, and a future for whoever awaits the outcome."""

    @property
    def result(self) -> asyncio.Future[Any]:
        """The outcome; an entry whose result is done before its call is not sent."""
        ...

    @property
    def size(self) -> int:
        """Bytes that the entry takes in a call."""
        ...


E = TypeVar("E", bound=Waiting)


class BatchQueue(Generic[E]):
    """Sends entries in order of arrival, in calls that they share.

    A lone entry is sent at the end of the current turn of the event loop, with whatever else that
    turn brings. `deliver` makes one call and completes the result of every entry it is given. A
    queue belongs to one event loop.
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
        """Queue `entry` for the next call, which completes its result."""
        self._queue.append(entry)
        if self._next is None and len(self._calls) < self._limits.calls:
            self._next = self._schedule()

    def _schedule(self) -> asyncio.Handle:
        loop = asyncio.get_running_loop()
        if self._calls:
            # A call costs far more than an entry in it. While the service answers quickly, one
            # call at a time is enough; while it does not, an entry waits no longer than this.
            return loop.call_later(self._limits.linger, self._start)
        # After the callbacks that are ready now, so that the entries they put share the call.
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
    """Complete every result in `batch` that is still pending with an error of its own."""
    for entry in batch:
        if not entry.result.done():
            # One each: a shared exception would collect the tracebacks of all who raise it.
            entry.result.set_exception(error())
