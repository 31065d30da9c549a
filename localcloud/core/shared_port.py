"""One address for gRPC and HTTP/1.1, as Google's own emulators have.

A client of either names the same `…_EMULATOR_HOST`. A connection is passed on to the server whose
protocol it begins with: HTTP/2 begins with a preface (RFC 9113, 3.4), gRPC over plain text with
nothing else.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine

_PREFACE = b"PRI"
_CHUNK = 64 << 10

Address = tuple[str, int]


@contextlib.asynccontextmanager
async def shared_port(grpc: Address, http: Address, address: Address) -> AsyncIterator[Address]:
    """Share an address (port 0: a free one) between two servers; give it while it is served.

    Raises `OSError` if it cannot be listened on.
    """
    connections: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine: asyncio would log the end of one that is cancelled.
        task = asyncio.create_task(_pass_on(reader, writer, grpc, http))
        connections.add(task)
        task.add_done_callback(connections.discard)

    listening = socket.create_server(address, backlog=2048)
    server = await asyncio.start_server(serve, sock=listening, limit=_CHUNK)
    try:
        yield listening.getsockname()[:2]
    finally:
        server.close()
        for each in connections:
            each.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, grpc: Address, http: Address
) -> None:
    # Whoever ends a connection, or breaks it, at either end: both ends of it are closed.
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        try:
            first = await reader.readexactly(len(_PREFACE))
        except asyncio.IncompleteReadError:
            return
        there, back = await asyncio.open_connection(*(grpc if first == _PREFACE else http))
        with contextlib.closing(back):
            back.write(first)
            await _first_of(_copy(reader, back), _copy(there, writer))


async def _first_of(*ways: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.create_task(each) for each in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
