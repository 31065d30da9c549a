import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
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
from uvicorn_worker import UvicornWorker

from localcloud.runner.process import FunctionProcess
from relay.web import server as heads
from relay.web.server import MAX_HEAD, BoundedHeads, set_server_up
from tests.support.signing import secret

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
        app, http=BoundedHeads, log_level="critical", lifespan="off", ws="none", port=0
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
    lines = [b"x-filler: " + b"f" * 8000 + b"\r\n"] * (2 + 4 * MAX_HEAD // 8000)
    found = await sent(port, START, *lines)
    assert found == b"reset" or found.startswith(b"HTTP/1.1 400 ")


async def test_one_header_without_end_is_refused(port: int) -> None:
    found = await sent(port, START, b"x-filler: ", *[b"f" * 8000] * (2 + 4 * MAX_HEAD // 8000))
    assert found == b"reset" or found.startswith(b"HTTP/1.1 400 ")


async def test_a_connection_without_a_request_is_closed(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.05)
    assert await sent(port, b"") == b""


@pytest.mark.parametrize("start", [b"P", START, START + b"x-slow: "])
async def test_a_head_that_does_not_end_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.05)
    assert (await sent(port, start)).startswith(b"HTTP/1.1 400 ")


async def test_a_large_body_is_no_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 5.0)
    size = 5 * MAX_HEAD
    head = START + b"connection: close\r\ncontent-length: %d\r\n\r\n" % size
    found = await sent(port, head, *[b"b" * (size // 10)] * 10)
    assert found.endswith(b"\r\n\r\n%d" % size)


async def test_a_head_behind_a_large_body_is_not_taken_for_large(port: int) -> None:
    body = b"b" * (MAX_HEAD + 1)
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
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.05)
    writer.write(START)
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.transport.abort()


async def test_several_requests_on_a_connection(port: int) -> None:
    one = START + b"x-filler: " + b"f" * 60_000 + b"\r\ncontent-length: 0\r\n\r\n"
    last = START + b"connection: close\r\ncontent-length: 0\r\n\r\n"
    found = await sent(port, one, one, one, one, last)
    assert found.count(b"HTTP/1.1 200 ") == 5


async def test_a_connection_that_closes_is_told_once() -> None:
    config = uvicorn.Config(answer, http=BoundedHeads, lifespan="off", ws="none")
    config.load()
    transport = Mock(**{"is_closing.return_value": True, "get_extra_info.return_value": None})
    protocol = BoundedHeads(config, ServerState(), {})
    protocol.connection_made(transport)
    protocol.data_received(b"?" * (MAX_HEAD + 1))
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


def test_the_worker_is_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"loop": "auto", "http": "auto"}
    monkeypatch.setattr(UvicornWorker, "CONFIG_KWARGS", before)
    set_server_up()
    after = UvicornWorker.CONFIG_KWARGS
    assert after == {
        "loop": "auto",
        "http": BoundedHeads,
        "proxy_headers": False,
        "server_header": False,
    }
    assert before["http"] == "auto"


async def test_the_framework_serves_so() -> None:
    environ = {"GOOGLE_CLOUD_PROJECT": "my-project", "WEBHOOK_SIGNING_SECRET": secret()}
    async with FunctionProcess("receive", target="receive", environ=environ) as receiver:
        port = int(receiver.url.rpartition(":")[2])
        lines = [b"x-filler: " + b"f" * 8000 + b"\r\n"] * (2 + 4 * MAX_HEAD // 8000)
        found = await sent(port, START, *lines)
        assert found == b"reset" or found.startswith(b"HTTP/1.1 400 ")
        found = await sent(port, b"GET / HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n")
        assert found.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nserver:" not in found.lower()
