import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, cast
from unittest.mock import Mock

import pytest
import uvicorn
from functions_framework.execution_id import AsgiMiddleware
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from relay.web import connections
from relay.web.connections import (
    MAX_DISCARDED,
    MAX_OVERHEAD,
    MAX_PIPELINED,
    BoundedConnection,
)

START = b"POST / HTTP/1.1\r\nhost: relay\r\n"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(answer) as listening:
        yield listening


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[int]:
    config = uvicorn.Config(
        app, http=BoundedConnection, log_level="critical", lifespan="off", ws="none", port=0
    )
    server = uvicorn.Server(config)
    with contextlib.closing(config.bind_socket()) as listening:
        listening.listen()
        task = asyncio.create_task(server.serve([listening]))
        yield listening.getsockname()[1]
        server.should_exit = server.force_exit = True
        await task


async def sent(port: int, *parts: bytes) -> bytes:
    """Send the parts, each for itself, and return all that is answered until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(reader.read())
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
        return await reading
    except ConnectionError:
        return b"reset"
    finally:
        writer.transport.abort()


async def test_a_head_without_end_is_refused(port: int) -> None:
    lines = [b"x-filler: " + b"f" * 8000 + b"\r\n"] * (2 + 4 * MAX_OVERHEAD // 8000)
    found = await sent(port, START, *lines)
    assert found == b"reset" or found.startswith(b"HTTP/1.1 400 ")


async def test_one_header_without_end_is_refused(port: int) -> None:
    found = await sent(port, START, b"x-filler: ", *[b"f" * 8000] * (2 + 4 * MAX_OVERHEAD // 8000))
    assert found == b"reset" or found.startswith(b"HTTP/1.1 400 ")


async def test_a_connection_without_a_request_is_closed(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 0.05)
    assert await sent(port, b"") == b""


@pytest.mark.parametrize("start", [b"P", START, START + b"x-slow: "])
async def test_a_head_that_does_not_end_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 0.05)
    assert (await sent(port, start)).startswith(b"HTTP/1.1 400 ")


async def test_a_large_body_is_no_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 5.0)
    size = 5 * MAX_OVERHEAD
    head = START + b"connection: close\r\ncontent-length: %d\r\n\r\n" % size
    found = await sent(port, head, *[b"b" * (size // 10)] * 10)
    assert found.endswith(b"\r\n\r\n%d" % size)


async def test_a_head_behind_a_large_body_is_not_taken_for_large(port: int) -> None:
    body = b"b" * (MAX_OVERHEAD + 1)
    first = START + b"content-length: %d\r\n\r\n" % len(body)
    # With the body's first byte gone ahead, the rest and the next head's start come as one.
    found = await sent(
        port, first + body[:1], body[1:] + START, b"connection: close\r\ncontent-length: 0\r\n\r\n"
    )
    assert found.count(b"HTTP/1.1 200 ") == 2


async def test_a_later_head_is_bounded_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(START + b"content-length: 0\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 0.05)
    writer.write(START)
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.transport.abort()


async def test_several_requests_on_a_connection(port: int) -> None:
    one = START + b"x-filler: " + b"f" * 60_000 + b"\r\ncontent-length: 0\r\n\r\n"
    last = START + b"connection: close\r\ncontent-length: 0\r\n\r\n"
    found = await sent(port, one, one, one, one, last)
    assert found.count(b"HTTP/1.1 200 ") == 5


async def test_a_connection_that_closes_is_told_once() -> None:
    config = uvicorn.Config(answer, http=BoundedConnection, lifespan="off", ws="none")
    config.load()
    transport = Mock(**{"is_closing.return_value": True, "get_extra_info.return_value": None})
    protocol = BoundedConnection(config, ServerState(), {})
    protocol.connection_made(transport)
    protocol.data_received(b"?" * (MAX_OVERHEAD + 1))
    transport.write.assert_called_once()
    protocol.connection_lost(None)


async def executions(*headers: bytes) -> list[str]:
    """Return the names under which the framework would log two requests with these headers."""
    names: list[str] = []
    framework: ASGIApp = cast("Any", AsgiMiddleware)(answer)

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        before = list(scope["headers"])
        await framework(scope, receive, send)
        assert scope["headers"] == before, "the framework made up a name"
        names.append(Headers(scope=scope)["function-execution-id"])

    request = START + b"".join(headers) + b"content-length: 0\r\n"
    async with serving(note) as port:
        await sent(port, request + b"\r\n", request + b"connection: close\r\n\r\n")
    return names


async def test_each_execution_has_a_name_of_its_own() -> None:
    first, second = await executions()
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert re.fullmatch("[0-9a-f]{12}", second)
    assert first != second


async def test_an_execution_keeps_the_name_that_was_sent() -> None:
    assert await executions(b"Function-Execution-Id: theirs\r\n") == ["theirs"] * 2


def chunked(*parts: bytes) -> bytes:
    head = START + b"transfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


async def test_trailers_without_end_are_refused(port: int) -> None:
    lines = [b"x-filler: " + b"f" * 8000 + b"\r\n"] * (2 + 4 * MAX_OVERHEAD // 8000)
    found = await sent(port, chunked(b"body") + b"0\r\n", *lines)
    assert found == b"reset" or found.startswith(b"HTTP/1.1 400 ")


async def test_a_chunk_extension_without_end_is_refused(port: int) -> None:
    parts = [b"f" * 8000] * (2 + 4 * MAX_OVERHEAD // 8000)
    found = await sent(port, chunked() + b"5;", *parts)
    assert found == b"reset" or found.startswith(b"HTTP/1.1 400 ")


async def test_a_large_chunked_body_is_no_overhead(port: int) -> None:
    parts = [chunked(), *[b"8000\r\n" + b"b" * 0x8000 + b"\r\n"] * 40, b"0\r\n\r\n"]
    parts[0] = parts[0].replace(b"host: relay\r\n", b"host: relay\r\nconnection: close\r\n")
    assert (await sent(port, *parts)).endswith(b"\r\n\r\n%d" % (40 * 0x8000))


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    await PlainTextResponse("early", 413)(scope, receive, send)


UNENDED = (
    pytest.param(b"content-length: 1000000000\r\n\r\n", id="declared"),
    pytest.param(b"transfer-encoding: chunked\r\n\r\n", id="chunked"),
    pytest.param(
        b"connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 1000000000\r\n\r\n",
        id="upgrade",
    ),
)


@pytest.mark.parametrize("rest", UNENDED)
async def test_a_request_that_does_not_end_after_its_answer_is_closed(
    monkeypatch: pytest.MonkeyPatch, rest: bytes
) -> None:
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 0.05)
    async with serving(early) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(START + rest)
        ended = asyncio.create_task(reader.read())
        # A byte now and then keeps the server's own keep-alive from closing the connection.
        while not ended.done():
            with contextlib.suppress(ConnectionError):
                writer.write(b"1")
                await writer.drain()
            await asyncio.wait({ended}, timeout=0.01)
        assert ended.exception() is not None or ended.result().startswith(b"HTTP/1.1 413 ")
        writer.transport.abort()


async def test_only_so_much_is_discarded_after_an_answer() -> None:
    part = b"b" * 65_536
    async with serving(early) as port:
        head = START + b"content-length: 1000000000\r\n\r\n"
        found = await sent(port, head, *[part] * (4 + MAX_DISCARDED // len(part)))
    assert found == b"reset" or found.startswith(b"HTTP/1.1 413 ")


async def test_a_connection_whose_request_ends_after_its_answer_serves_the_next() -> None:
    async with serving(early) as port:
        body = b"b" * (MAX_DISCARDED // 2)
        first = START + b"content-length: %d\r\n\r\n" % len(body)
        last = START + b"connection: close\r\ncontent-length: 0\r\n\r\n"
        found = await sent(port, first, body, last)
    assert found.count(b"HTTP/1.1 413 ") == 2


async def test_line_ends_between_requests_do_not_keep_a_connection(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(START + b"content-length: 0\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
    ended = asyncio.create_task(reader.read())
    while not ended.done():
        with contextlib.suppress(ConnectionError):
            writer.write(b"\r\n")
            await writer.drain()
        await asyncio.wait({ended}, timeout=0.01)
    writer.transport.abort()


@pytest.mark.parametrize("length", [0, 5])
async def test_a_request_to_upgrade_is_answered_as_one_without_a_body_and_ends_its_connection(
    port: int, length: int
) -> None:
    head = START + b"connection: upgrade\r\nupgrade: websocket\r\ncontent-length: %d\r\n\r\n"
    found = await sent(port, head % length + b"b" * length)
    assert found.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in found
    assert found.endswith(b"\r\n\r\n0")


@pytest.mark.parametrize("target", [b"http://", b"a b", b"\xff"])
async def test_a_target_that_is_none_is_refused(port: int, target: bytes) -> None:
    found = await sent(port, b"GET " + target + b" HTTP/1.1\r\nhost: relay\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 400 ")


async def test_pipelined_requests_beyond_the_bound_end_the_connection() -> None:
    held = asyncio.Event()
    running = 0

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal running
        running += 1
        await held.wait()
        await answer(scope, receive, send)

    one = START + b"content-length: 0\r\n\r\n"
    async with serving(slow) as port:
        found = await sent(port, one * (MAX_PIPELINED + 3))
        held.set()
    assert running == 1
    assert found.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in found


class Latest(BoundedConnection):
    """Tells of the connection that was made last."""

    made: "asyncio.Queue[Latest]"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        self.made.put_nowait(self)


def idle_for_too_long(connection: BoundedConnection) -> None:
    connection.timeout_keep_alive_handler()


def silent_for_too_long(connection: BoundedConnection) -> None:
    connection._end_late()


@pytest.mark.parametrize("time_out", [idle_for_too_long, silent_for_too_long])
async def test_a_time_out_spares_a_connection_on_which_a_request_has_arrived(
    monkeypatch: pytest.MonkeyPatch, time_out: Callable[[BoundedConnection], None]
) -> None:
    monkeypatch.setattr(Latest, "made", asyncio.Queue(), raising=False)
    monkeypatch.setattr(f"{__name__}.BoundedConnection", Latest)
    async with serving(answer) as port:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            connection = await Latest.made.get()
            # Without a turn of the loop in between, as when the process was stopped meanwhile.
            client.send(START + b"content-length: 0\r\n\r\n")
            time_out(connection)
            assert (await loop.sock_recv(client, 999)).startswith(b"HTTP/1.1 200 ")
            if time_out is silent_for_too_long:
                return
            time_out(connection)
            assert await loop.sock_recv(client, 999) == b""


@pytest.mark.parametrize(("kept", "served"), [(60.0, True), (0.0, False)])
@pytest.mark.parametrize("time_out", [idle_for_too_long, silent_for_too_long])
async def test_a_time_out_that_was_due_in_a_stop_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
    time_out: Callable[[BoundedConnection], None],
    kept: float,
    *,
    served: bool,
) -> None:
    monkeypatch.setattr(Latest, "made", asyncio.Queue(), raising=False)
    monkeypatch.setattr(f"{__name__}.BoundedConnection", Latest)
    monkeypatch.setattr(connections, "KEPT_SECONDS", kept)
    # Whenever it fires, it is late.
    monkeypatch.setattr(connections, "_LATE_SECONDS", -3600.0)
    one = START + b"content-length: 0\r\n\r\n"
    async with serving(answer) as port:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            connection = await Latest.made.get()
            if time_out is idle_for_too_long:
                client.send(one)
                assert await loop.sock_recv(client, 999)
            time_out(connection)
            if served:
                client.send(one)
            found = await loop.sock_recv(client, 999)
            assert found.startswith(b"HTTP/1.1 200 ") is served


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system cannot")
async def test_an_answer_that_is_not_read_does_not_keep_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 0.05)
    lost = asyncio.Event()

    class Watched(BoundedConnection):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("long" * (4 << 20))(scope, receive, send)

    monkeypatch.setattr(f"{__name__}.BoundedConnection", Watched)
    async with serving(long) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(START + b"connection: close\r\ncontent-length: 0\r\n\r\n")
            await lost.wait()
