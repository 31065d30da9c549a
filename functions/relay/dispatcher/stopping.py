"""Ending work in time when the platform stops the process.

Cloud Run sends SIGTERM and kills ten seconds later.
https://cloud.google.com/run/docs/container-contract#instance-shutdown
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType


class Stopping:
    """Time limits that move forward when the process is asked to stop.

    From then on, current work has `grace` seconds left. It belongs to one event loop.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._limits: set[asyncio.Timeout] = set()
        self._end = float("inf")

    @asynccontextmanager
    async def limit(self, deadline: float) -> AsyncIterator[None]:
        """Raise `TimeoutError` in the body at `deadline` on the loop's clock, or when stopping."""
        async with asyncio.timeout_at(min(deadline, self._end)) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def begin(self) -> None:
        """Move every limit forward, and those that are set from now on."""
        self._end = min(self._end, asyncio.get_running_loop().time() + self._grace)
        for limit in self._limits:
            when = limit.when()
            if not limit.expired() and (when is None or when > self._end):
                limit.reschedule(self._end)

    def on_signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Begin when the process gets the signal, then call the server's own handler.

        Call it in the worker, after the server has set its handler. It does nothing outside the
        main thread, where Python allows no signal handlers.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        servers_own = signal.getsignal(number)

        def handle(received: int, frame: FrameType | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.begin)
            if callable(servers_own):
                servers_own(received, frame)

        signal.signal(number, handle)
