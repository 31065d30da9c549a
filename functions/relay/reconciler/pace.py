"""Beginning calls at a steady pace."""

import asyncio


class Pace:
    """Lets calls begin one after another, so many a second. It belongs to one event loop."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next call may begin."""
        now = asyncio.get_running_loop().time()
        begin = max(now, self._next)
        self._next = begin + self._interval
        await asyncio.sleep(begin - now)
