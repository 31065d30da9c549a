"""A clock that runs faster than the machine's, so that a schedule's minute takes seconds."""

from localcloud.core.clock import Clock


class FastClock:
    """A clock that runs `rate` times as fast as another, from the same time on."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self._clock = clock
        self._rate = rate
        self._start = clock.time()

    def time(self) -> float:
        """Return the time in Unix seconds, UTC."""
        return self._start + (self._clock.time() - self._start) * self._rate

    async def sleep(self, seconds: float) -> None:
        """Return once that many seconds have passed on this clock."""
        await self._clock.sleep(seconds / self._rate)
