import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from relay.errors import GeminiRefused
from relay.gemini.api import LARGEST_REPLY, GeminiApi, redacted, segment

API_KEY = "AIza-test-key-that-nobody-may-see"
SECRET = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
BASE = "https://gemini.example/base"

Answer = Callable[[httpx2.Request], httpx2.Response]


class Pieces(httpx2.AsyncByteStream):
    """A body that arrives in pieces; an exception among them is raised."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def aclose(self) -> None:
        self.closed = True


class Server:
    """Answers with the responses in store, and keeps the requests."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = [*answers]
        self.requests: list[httpx2.Request] = []
        transport = httpx2.MockTransport(self._answer)
        self.api = GeminiApi(api_key=API_KEY, base_url=f"{BASE}/", transport=transport)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def urls(self) -> list[str]:
        return [str(request.url) for request in self.requests]


def redirect(target: str) -> httpx2.Response:
    return httpx2.Response(302, headers={"location": target})


async def refusal(call: Any) -> GeminiRefused:
    with pytest.raises(GeminiRefused) as caught:
        await call
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert API_KEY not in shown
    assert SECRET not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


async def read(api: GeminiApi, path: str = "/v1/files/f") -> bytes:
    async with api.stream("download", path) as body:
        return b"".join([chunk async for chunk in body])


async def test_a_call_sends_the_key_the_query_and_the_body() -> None:
    server = Server(httpx2.Response(200, json={"a": 1}))
    reply = await server.api.call("do", "POST", "/v1/x", query={"q": "a b"}, body={"b": "ü"})
    assert reply == {"a": 1}
    (request,) = server.requests
    assert (request.method, str(request.url)) == ("POST", f"{BASE}/v1/x?q=a+b")
    assert json.loads(request.content) == {"b": "ü"}
    assert request.headers["x-goog-api-key"] == API_KEY
    assert request.headers["accept-encoding"] == "identity"
    await server.api.close()


async def test_the_base_is_googles_by_default() -> None:
    assert GeminiApi(api_key=API_KEY).base_url == "https://generativelanguage.googleapis.com"
    assert API_KEY not in repr(GeminiApi(api_key=API_KEY))


async def test_an_empty_answer_is_an_empty_object() -> None:
    assert await Server(httpx2.Response(204)).api.call("do", "DELETE", "/x") == {}


@pytest.mark.parametrize("status", [300, 400, 408, 409, 429, 500, 503])
async def test_a_refused_call_is_made_once(status: int) -> None:
    error = {"message": f"no {API_KEY} {SECRET}", "status": "NOT_GOOD"}
    server = Server(httpx2.Response(status, json={"error": error}))
    refused = await refusal(server.api.call("do", "POST", "/x", body={}))
    assert (refused.status, refused.code) == (status, "NOT_GOOD")
    assert refused.reason == f"Gemini answered {status} to do: no … whsec_…"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"details": [{"reason": "API_KEY_INVALID"}], "status": "X"}}, "API_KEY_INVALID"),
        ({"error": {"details": [7, {"reason": ""}], "code": "not_found"}}, "not_found"),
        ([{"error": {"status": "NOT_FOUND"}}], "NOT_FOUND"),
        ({"error": {"details": 7, "code": 404}}, ""),
        ({"error": SECRET}, ""),
        ([], ""),
        (SECRET, ""),
    ],
)
async def test_a_refusal_has_googles_code(body: Any, code: str) -> None:
    refused = await refusal(Server(httpx2.Response(400, json=body)).api.call("do", "GET", "/x"))
    assert (refused.status, refused.code) == (400, code)
    assert refused.reason == "Gemini answered 400 to do: without a reason"
    assert refused.key_refused is (code == "API_KEY_INVALID")


@pytest.mark.parametrize(("status", "refused"), [(401, True), (403, True), (404, False)])
def test_a_key_is_refused_by_status(status: int, refused: bool) -> None:
    assert GeminiRefused("no", status).key_refused is refused


async def test_an_error_without_end_is_not_read() -> None:
    endless = Pieces(*[b" " * 65_536] * 2, ValueError("read on"))
    refused = await refusal(Server(httpx2.Response(500, stream=endless)).api.call("do", "GET", "/"))
    assert refused.status == 500
    assert endless.closed


async def test_an_error_that_breaks_off_has_its_status() -> None:
    cut = Pieces(b"{", httpx2.ReadError("cut"))
    refused = await refusal(Server(httpx2.Response(404, stream=cut)).api.call("do", "GET", "/"))
    assert refused.status == 404


async def test_an_answer_over_the_limit_is_refused() -> None:
    large = Pieces(b'"' + b"x" * LARGEST_REPLY + b'"')
    refused = await refusal(Server(httpx2.Response(200, stream=large)).api.call("do", "GET", "/"))
    assert "over 8388608 bytes" in refused.reason
    assert large.closed


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectError(API_KEY),
        httpx2.ReadTimeout(API_KEY),
        httpx2.RemoteProtocolError(API_KEY),
        OSError(API_KEY),
        RuntimeError(API_KEY),
    ],
)
async def test_a_call_without_answer_is_made_once(error: Exception) -> None:
    server = Server(error)
    refused = await refusal(server.api.call("do", "POST", "/x"))
    assert refused.status is None
    assert type(error).__name__ in refused.reason
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", [b"<html>", b"[" * 100_000, b"\xff", b'{"a"'])
async def test_an_answer_that_is_no_json_is_refused(content: bytes) -> None:
    await refusal(Server(httpx2.Response(200, content=content)).api.call("do", "GET", "/x"))


async def test_a_compressed_answer_is_refused() -> None:
    headers = {"content-encoding": "gzip"}
    answer = httpx2.Response(200, headers=headers, stream=Pieces(b"\x1f\x8b"))
    await refusal(Server(answer).api.call("do", "GET", "/x"))


async def test_a_key_that_no_header_can_hold_is_not_shown() -> None:
    api = GeminiApi(api_key="ключ", base_url=BASE)
    with pytest.raises(GeminiRefused, match="UnicodeEncodeError") as caught:
        await api.call("do", "GET", "/x")
    assert caught.value.__context__ is None


async def test_a_call_has_a_time_limit() -> None:
    async def never(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    api = GeminiApi(
        api_key=API_KEY, base_url=BASE, timeout=0.01, transport=httpx2.MockTransport(never)
    )
    assert "TimeoutError" in (await refusal(api.call("do", "GET", "/x"))).reason
    assert "TimeoutError" in (await refusal(read(api))).reason


async def test_a_redirect_within_the_base_is_followed() -> None:
    server = Server(redirect("/base/download/v1/files/f"), httpx2.Response(200, content=b"video"))
    assert await read(server.api) == b"video"
    assert server.urls == [f"{BASE}/v1/files/f", f"{BASE}/download/v1/files/f"]
    assert server.requests[1].headers["x-goog-api-key"] == API_KEY


@pytest.mark.parametrize(
    "target",
    [
        "https://storage.example/f",
        "http://gemini.example/base/f",
        "https://gemini.example:444/base/f",
        "https://gemini.example/bases/f",
        "https://gemini.example/base/../other",
        "https://gemini.example/other",
        "https://gemini.example@storage.example/base/f",
        "//storage.example/base/f",
    ],
)
async def test_no_redirect_leads_outside_the_base(target: str) -> None:
    server = Server(redirect(target), httpx2.Response(200, content=b"video"))
    refused = await refusal(read(server.api))
    assert refused.status == 302
    assert len(server.requests) == 1


async def test_only_a_get_is_redirected() -> None:
    server = Server(redirect(f"{BASE}/x"), httpx2.Response(200, json={}))
    assert (await refusal(server.api.call("do", "POST", "/x"))).status == 302
    assert len(server.requests) == 1


async def test_redirects_end() -> None:
    server = Server(*[redirect("/base/x")] * 9)
    assert "too many redirects" in (await refusal(read(server.api))).reason
    assert len(server.requests) == 5


async def test_a_streamed_body_is_closed_with_its_block() -> None:
    pieces = Pieces(b"a", b"b")
    headers = {"content-length": "2"}
    server = Server(httpx2.Response(200, headers=headers, stream=pieces))
    async with server.api.stream("download", "/f") as body:
        assert body.length == 2
        assert not pieces.closed
    assert pieces.closed


async def test_a_body_that_breaks_off_is_an_error() -> None:
    server = Server(httpx2.Response(200, stream=Pieces(b"a", httpx2.ReadError(API_KEY))))
    assert "ReadError" in (await refusal(read(server.api))).reason


async def test_a_body_that_stops_is_an_error() -> None:
    class Stopped(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"a"
            await asyncio.Event().wait()

    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=Stopped()))
    api = GeminiApi(api_key=API_KEY, base_url=BASE, timeout=0.05, transport=transport)
    assert "TimeoutError" in (await refusal(read(api))).reason


def test_a_segment_is_quoted() -> None:
    assert segment("a/../b?c=ü") == "a%2F..%2Fb%3Fc%3D%C3%BC"


def test_redaction_bounds_and_cleans() -> None:
    text = redacted(f"a\n{API_KEY} {SECRET} " + "x" * 1000, API_KEY)
    assert text.startswith("a … whsec_… xxx")
    assert len(text) == 500
    assert redacted("whsec_", "") == "whsec_"
