"""Slow clients: they hold connections open and hardly send anything."""

import asyncio
import contextlib
import random
from typing import Self

from tests.hostile.wire import post

_STARTS = (
    b"",
    b"POST / HTTP/1.1\r\nhost: relay\r\n",
    b"POST / HTTP/1.1\r\nhost: relay\r\nx-slow: ",
    post([], b"", length=b"200000"),
    b"POST / HTTP/1.1\r\nhost: relay\r\ntransfer-encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: relay\r\ntransfer-encoding: chunked\r\n\r\nfff",
    b"\x16\x03\x01",
)


class SlowClients:
    """Keeps `count` slow connections open while the block lasts, replacing those that end.

    Each sends a byte now and then, or nothing ever again. `open` and `ended` count them.
    """

    def __init__(self, host: str, port: int, count: int, seed: int) -> None:
        self._address = host, port
        self._count = count
        self._chance = random.Random(seed)  # noqa: S311 - not a secret
        self._tasks: list[asyncio.Task[None]] = []
        self._all_open = asyncio.Event()
        self.open = 0
        self.ended = 0

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._hold()) for _ in range(self._count)]
        async with asyncio.timeout(60):
            if self._count:
                await self._all_open.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hold(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                await self._trickle()
                self.ended += 1
            await asyncio.sleep(0.1)

    async def _trickle(self) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        self.open += 1
        if self.open == self._count:
            self._all_open.set()
        try:
            writer.write(self._chance.choice(_STARTS))
            if self._chance.random() < 0.3:
                # Half open: nothing more will come, and nobody says so.
                await reader.read()
                return
            reading = asyncio.create_task(reader.read())
            try:
                while not reading.done():
                    writer.write(b"a")
                    await asyncio.wait({reading}, timeout=self._chance.uniform(0.5, 2.0))
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        finally:
            self.open -= 1
            writer.transport.abort()
