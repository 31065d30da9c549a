"""Connections that their clients never end: one for each state that a server could forget."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from relay.web.connections import MAX_PIPELINED
from tests.hostile.wire import chunked, post

PATIENCE = 60.0
"""Seconds after which a connection that the server has to end is taken to be open for ever. The
server's own bounds add up to less than half of that."""

# Between two connections in one state.
_PAUSE = 0.2
_UPGRADE = ((b"connection", b"Upgrade"), (b"upgrade", b"websocket"))
_OPEN_CHUNKS = b"POST / HTTP/1.1\r\nhost: relay\r\ntransfer-encoding: chunked\r\n\r\n"
_LONG = b"1000000000"
_LINE = b"x-filler: " + b"f" * 8000 + b"\r\n"
_MANY = 4 * MAX_PIPELINED


@dataclass(frozen=True)
class State:
    """What is sent `first`, and `then` again and again, `pause` seconds apart, or nothing more."""

    first: bytes
    then: bytes = b""
    pause: float = 0.0


STATES: Mapping[str, State] = {
    "nothing": State(b""),
    "slow head": State(b"POST / HTTP/1.1\r\nx-slow: ", b"a", 0.5),
    "trailers": State(chunked((), [b"{}"])[:-2], _LINE),
    "slow trailers": State(chunked((), [b"{}"])[:-2], b"x: y\r\n", 0.5),
    "chunk extension": State(_OPEN_CHUNKS + b"2;", b"e" * 8000),
    "slow chunk extension": State(_OPEN_CHUNKS + b"2;", b"e", 0.5),
    "body behind a 405": State(post((), method=b"PUT", length=_LONG), b"b", 0.5),
    "no body behind a 405": State(post((), method=b"PUT", length=_LONG)),
    "flood behind a 405": State(post((), method=b"PUT", length=_LONG), b"b" * 65_536),
    "body behind a refusal": State(post((), length=_LONG), b"b", 0.5),
    "body of a GET": State(post((), method=b"GET", length=_LONG), b"b", 0.5),
    "chunks of a GET": State(_OPEN_CHUNKS.replace(b"POST", b"GET"), b"1\r\nb\r\n", 0.5),
    "upgrade": State(post(_UPGRADE, method=b"GET"), b"\x81\x00", 0.5),
    "upgrade with a body": State(post(_UPGRADE, length=_LONG), b"b", 0.5),
    "pipeline": State(post((), method=b"GET") * _MANY, post((), method=b"GET") * _MANY),
    "pipeline of bodies": State(post((), length=_LONG) * _MANY, b"b" * 8000),
    "line ends": State(post((), method=b"GET"), b"\r\n", 0.5),
}


async def hold(host: str, port: int, state: State) -> bytes:
    """Keep a connection in that state until the server ends it; return what it answered.

    Raises `TimeoutError` if the server does not within `PATIENCE`.
    """
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(host, port)
        reading = asyncio.create_task(reader.read())
        try:
            await _send(writer, state, reading)
            return await reading
        except ConnectionError:
            return b""
        finally:
            reading.cancel()
            writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, state: State, reading: "asyncio.Task[bytes]") -> None:
    writer.write(state.first)
    while state.then and not reading.done():
        writer.write(state.then)
        draining = asyncio.create_task(writer.drain())
        await asyncio.wait({draining, reading}, return_when=asyncio.FIRST_COMPLETED)
        draining.cancel()
        await asyncio.wait({reading}, timeout=state.pause)


class EndlessClients:
    """Holds a connection in each state while the block lasts, replacing those that end.

    `ended` counts ends by state, `longest` are the most seconds until one, `forever` the states
    that the server did not end in time.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._tasks: list[asyncio.Task[None]] = []
        self.ended: Counter[str] = Counter()
        self.longest = 0.0
        self.forever: set[str] = set()
        self.failed: set[str] = set()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._repeat(name)) for name in STATES]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, name: str) -> None:
        while True:
            began = time.monotonic()
            try:
                answers = await hold(*self._address, STATES[name])
            except TimeoutError:
                self.forever.add(name)
                continue
            self.ended[name] += 1
            self.longest = max(self.longest, time.monotonic() - began)
            if b"HTTP/1.1 5" in answers:
                self.failed.add(name)
            await asyncio.sleep(_PAUSE)
