"""Clocks that are passed in: the machine's, and one that a test moves."""

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """The time, and a way to wait."""

    def time(self) -> float:
        """Return the time in Unix seconds, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once that many seconds have passed on this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def time(self) -> float:
        """Return the time in Unix seconds, UTC."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return once that many seconds have passed."""
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until `advance` is called; sleepers wake in order."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def time(self) -> float:
        """Return the time in Unix seconds, UTC."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has been advanced by that many seconds."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on by that many seconds, letting each sleeper run at its own time."""
        end = self._now + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await _settle()
        self._now = end
        await _settle()


async def _settle() -> None:
    # Lets the tasks that were woken run until they wait again; in-memory work takes few turns.
    for _ in range(20):
        await asyncio.sleep(0)
