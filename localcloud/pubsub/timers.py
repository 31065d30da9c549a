"""Timers on a clock that is passed in."""

import asyncio
import contextlib
import heapq
import itertools
import math
from collections.abc import Callable

from localcloud.core.clock import Clock


class Timer:
    """A callback at a time; `cancel` is cheap, before and after."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Cancel the callback."""
        self._callback = None

    def fire(self) -> None:
        """Call the callback, at most once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Timers:
    """Calls back at given times, from one task whatever the number of timers.

    Adding a timer costs O(log n), cancelling one O(1). Callbacks run on the event loop, each on
    its own: an exception in one reaches the loop's exception handler and stops no other.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._wakes_at = math.inf
        self._task: asyncio.Task[None] | None = None

    def after(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call `callback()` once that many seconds have passed."""
        when = self._clock.time() + seconds
        timer = Timer(callback)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        if when < self._wakes_at:
            self._sleep_until(when)
        return timer

    async def close(self) -> None:
        """Cancel every timer; return once no task is left on the loop."""
        self._heap.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _sleep_until(self, when: float) -> None:
        if self._task is not None:
            self._task.cancel()
        self._wakes_at = when
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._heap:
            self._wakes_at = self._heap[0][0]
            await self._clock.sleep(self._wakes_at - self._clock.time())
            self._fire_due()
        self._wakes_at = math.inf

    def _fire_due(self) -> None:
        loop = asyncio.get_running_loop()
        now = self._clock.time()
        while self._heap and self._heap[0][0] <= now:
            loop.call_soon(heapq.heappop(self._heap)[2].fire)
