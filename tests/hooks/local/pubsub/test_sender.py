from collections.abc import AsyncIterator

import httpx2
import pytest

from hooks.local.pubsub.envelope import PushRequest
from hooks.local.pubsub.sender import HttpSender, PushFailedError

REQUEST = PushRequest("http://endpoint.test/path?q=1", {"x-header": "value"}, b"body")


async def test_it_posts_the_request_and_returns_the_status() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(429, stream=httpx2.ByteStream(b"slow down"))

    sender = HttpSender(httpx2.MockTransport(answer))
    assert await sender(REQUEST) == 429
    await sender.close()
    [request] = seen
    assert (request.method, str(request.url)) == ("POST", REQUEST.url)
    assert request.headers["x-header"] == "value"
    assert request.content == b"body"


async def test_it_follows_no_redirect() -> None:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        headers = {"location": "/elsewhere"}
        return httpx2.Response(302, headers=headers, stream=httpx2.ByteStream(b""))

    sender = HttpSender(httpx2.MockTransport(answer))
    assert await sender(REQUEST) == 302
    await sender.close()


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
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


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://\x7f/", "http://x:99999/"])
async def test_no_answer_is_a_failed_push(url: str) -> None:
    sender = HttpSender()
    with pytest.raises(PushFailedError):
        await sender(PushRequest(url, {}, b""))
    await sender.close()


async def test_closing_twice_is_harmless() -> None:
    sender = HttpSender()
    await sender.close()
    await sender.close()
