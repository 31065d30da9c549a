import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest

from localcloud.pubsub.envelope import PushRequest
from localcloud.pubsub.sender import HttpSender, PushFailedError, Sender

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def endpoint(answer: Answer) -> AsyncIterator[str]:
    """Serve raw HTTP at the URL that is yielded; `answer` gets each connection."""
    connections: list[asyncio.Task[None] | None] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*filter(None, connections))


@contextlib.asynccontextmanager
async def http_sender() -> AsyncIterator[HttpSender]:
    sender = HttpSender()
    try:
        yield sender
    finally:
        await sender.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    return head + await reader.readexactly(length)


def replying(*replies: bytes) -> tuple[list[bytes], Answer]:
    """Answer one request after the other on each connection; return them, too."""
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            requests.append(await read_request(reader))
            writer.write(reply)
            await writer.drain()

    return requests, answer


NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_a_push_is_posted_and_its_status_returned() -> None:
    slow_down = b"HTTP/1.1 429 Too Many\r\ncontent-length: 9\r\n\r\nslow down"
    requests, answer = replying(slow_down)
    async with endpoint(answer) as url, http_sender() as sender:
        headers = {"x-header": "value", "authorization": "Bearer token"}
        assert await sender(PushRequest(f"{url}/path?q=a%2Fb", headers, b"body", "1")) == 429
    [request] = requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /path?q=a%2Fb HTTP/1.1\r\n")
    names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    # What Pub/Sub would send, and nothing that the library would add by itself.
    assert names <= {b"host", b"x-header", b"authorization", b"content-length", b"user-agent"} | {
        b"accept"
    }
    assert b"x-header: value" in head
    assert body == b"body"


async def test_connections_are_reused() -> None:
    requests, answer = replying(NO_CONTENT, NO_CONTENT)
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answer(reader, writer)

    async with endpoint(count) as url, http_sender() as sender:
        for _ in range(2):
            assert await sender(PushRequest(url, {}, b"x", "1")) == 204
    assert len(requests) == 2
    assert connections == 1


async def test_redirects_are_not_followed() -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    requests, answer = replying(elsewhere, NO_CONTENT)
    async with endpoint(answer) as url, http_sender() as sender:
        assert await sender(PushRequest(url, {}, b"x", "1")) == 302
    assert len(requests) == 1


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with endpoint(endless) as url, http_sender() as sender:
        assert await sender(PushRequest(url, {}, b"x", "1")) == 200


async def test_a_connection_that_ends_without_an_answer_is_a_failed_push() -> None:
    async def hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with endpoint(hang_up) as url, http_sender() as sender:
        with pytest.raises(PushFailedError):
            await sender(PushRequest(url, {}, b"x", "1"))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://\x7f/", "http://x:99999/", "nothing", "ftp://x/"]
)
async def test_no_answer_is_a_failed_push(url: str) -> None:
    async with http_sender() as sender:
        with pytest.raises(PushFailedError):
            await sender(PushRequest(url, {}, b"", "1"))


async def test_closing_twice_is_harmless() -> None:
    sender = HttpSender()
    await sender.close()
    await sender.close()


REQUEST = PushRequest("http://endpoint.test/path?q=1", {"x-header": "value"}, b"body", "1")


async def test_another_transport_gets_the_same_request() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        headers = {"location": "/elsewhere"}
        return httpx2.Response(302, headers=headers, stream=httpx2.ByteStream(b"slow down"))

    sender: Sender = HttpSender(httpx2.MockTransport(answer))
    assert await sender(REQUEST) == 302
    [request] = seen
    assert (request.method, str(request.url)) == ("POST", REQUEST.url)
    assert request.headers["x-header"] == "value"
    assert request.content == b"body"


async def test_a_transports_endless_answer_is_not_read_to_its_end() -> None:
    class Endless(httpx2.AsyncByteStream):
        read = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                self.read += 1
                yield b"x" * 1024

    stream = Endless()
    sender = HttpSender(httpx2.MockTransport(lambda _: httpx2.Response(200, stream=stream)))
    assert await sender(REQUEST) == 200
    assert stream.read == 65
    await sender.close()


async def test_a_transport_that_fails_is_a_failed_push() -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("nobody there", request=request)

    sender = HttpSender(httpx2.MockTransport(fail))
    with pytest.raises(PushFailedError):
        await sender(REQUEST)
    await sender.close()
