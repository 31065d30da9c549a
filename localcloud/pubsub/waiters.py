"""A queue of tasks that wait for something to become available."""

import asyncio
from collections.abc import Callable

from localcloud.pubsub.timers import Timers


class Waiters:
    """Waiting tasks, first come first served.

    `available` returns whether there is anything to wake one for.
    """

    def __init__(self, timers: Timers, available: Callable[[], bool]) -> None:
        self._timers = timers
        self._available = available
        # A dict keeps the order and removes a waiter without a search.
        self._line: dict[asyncio.Future[None], None] = {}

    async def wait(self, seconds: float | None = None) -> None:
        """Return when woken, or after that many seconds; raise what `fail` is called with."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line[waiter] = None
        timer = None
        if seconds is not None:
            timer = self._timers.after(seconds, lambda: _resolve(waiter))
        try:
            await waiter
        finally:
            self._line.pop(waiter, None)
            if timer is not None:
                timer.cancel()
            # A woken task may leave something, or be cancelled before it takes any.
            asyncio.get_running_loop().call_soon(self.wake)

    def wake(self) -> None:
        """Wake the first task, if there is anything for it."""
        while self._line and self._available():
            waiter = next(iter(self._line))
            del self._line[waiter]
            if _resolve(waiter):
                return

    def fail(self, error: Exception) -> None:
        """Raise an error in every waiting task."""
        for waiter in self._line:
            if not waiter.done():
                waiter.set_exception(error)
        self._line.clear()


def _resolve(waiter: asyncio.Future[None]) -> bool:
    if waiter.done():
        return False
    waiter.set_result(None)
    return True
