"""A limit on the messages published per second."""

import math

from localcloud.core.clock import Clock


class Pace:
    """Lets `rate` messages a second pass on average; 0 is no limit."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._free_at = -math.inf

    @property
    def batch(self) -> int:
        """The size of a batch: the messages of one second, and at most a hundred."""
        return min(100, max(1, int(self._rate))) if self._rate else 100

    async def wait(self, count: int) -> None:
        """Return once `count` more messages may pass."""
        if self._rate:
            now = self._clock.time()
            self._free_at = max(now, self._free_at)
            pause, self._free_at = self._free_at - now, self._free_at + count / self._rate
            if pause > 0:
                await self._clock.sleep(pause)
