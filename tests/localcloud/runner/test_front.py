import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop

from localcloud.runner.freezer import Freezer
from localcloud.runner.front import Front

GET = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LARGE = 8 << 20

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Counting(Freezer):
    """Tells what is in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.in_flight = 0
        self.changed = asyncio.Event()

    def enter(self) -> None:
        self.in_flight += 1
        self.changed.set()

    def leave(self) -> None:
        self.in_flight -= 1
        self.changed.set()

    async def until(self, in_flight: int) -> None:
        async with asyncio.timeout(30):
            while self.in_flight != in_flight:
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def fronted(serve: Serve) -> AsyncIterator[tuple[int, Counting, Front]]:
    """Run a front before a server; give its port, what it tells, and the front."""
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        freezer = Counting()
        listener = socket.create_server(("127.0.0.1", 0))
        front = Front(listener, server.sockets[0].getsockname(), freezer)
        await front.open()
        await front.open()
        try:
            yield listener.getsockname()[1], freezer, front
        finally:
            front.close()
            # Every end of a connection is told in the loop's next turns.
            while front.links:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await freezer.until(0)


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
    writer.close()


def test_what_a_client_sends_at_once_is_passed_on_whatever_the_loop() -> None:
    async def all_at_once() -> None:
        async with fronted(answering) as (port, freezer, _):
            streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
            for _, writer in streams:
                writer.write(GET)
                writer.write_eof()
            answers = await asyncio.gather(*(reader.read() for reader, _ in streams))
            assert answers == [OK] * len(streams)
            for _, writer in streams:
                writer.close()
            await freezer.until(0)

    # uvloop hands out what has come before the front is connected to the function.
    for factory in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(all_at_once())


async def test_requests_count_from_their_first_byte_to_the_end_of_their_answer() -> None:
    async with fronted(answering) as (port, freezer, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(GET[:1])
            await freezer.until(1)
            writer.write(GET[1:])
            assert await reader.readexactly(len(OK)) == OK
            await freezer.until(0)
        writer.close()


async def test_a_client_that_leaves_has_nothing_in_flight() -> None:
    left = asyncio.Event()

    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        left.set()
        writer.close()

    async with fronted(waiting) as (port, freezer, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await freezer.until(1)
        writer.transport.abort()
        await freezer.until(0)
        await left.wait()


async def test_the_end_of_what_a_client_sends_reaches_the_function_which_still_answers() -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()

    async with fronted(late) as (port, freezer, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        writer.write_eof()
        assert await reader.read() == GET
        writer.close()
        await freezer.until(0)


async def test_a_reset_by_the_function_is_one_for_the_client() -> None:
    async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with fronted(resetting) as (port, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_all_bytes_pass_and_few_wait_for_whoever_does_not_read() -> None:
    most = 0

    async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
            (link,) = front.links
            for side in (link.client, link.function):
                most = max(most, side.transport.get_write_buffer_size())
        writer.close()

    async with fronted(echoing) as (port, _, front):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sending = asyncio.create_task(send(writer, LARGE))
        received = 0
        while received < LARGE:
            # Slower than it is sent.
            await asyncio.sleep(0)
            received += len(await reader.read(1 << 14))
        await sending
        assert await reader.read() == b""
        writer.close()
    assert most < 1 << 20


async def send(writer: asyncio.StreamWriter, size: int) -> None:
    for _ in range(size >> 16):
        writer.write(bytes(1 << 16))
        await writer.drain()
    writer.write_eof()


async def test_a_client_of_a_function_that_is_gone_is_reset() -> None:
    freezer = Counting()
    with socket.create_server(("127.0.0.1", 0)) as closing:
        address = closing.getsockname()
    listener = socket.create_server(("127.0.0.1", 0))
    front = Front(listener, address, freezer)
    await front.open()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    front.close()
