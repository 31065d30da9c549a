import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from relay.keys.jwks import JwksError, JwksLoader, lifetime
from tests.support.serving import serving
from tests.support.signing import ed25519_jwk, ed25519_key, jwks, rsa_jwk

URI = "https://keys.example.com/jwks.json"
DOCUMENT = jwks(ed25519_jwk(), rsa_jwk())


async def stream(content: bytes) -> AsyncIterator[bytes]:
    yield content


def response(status: int, content: bytes = DOCUMENT, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers=named, content=stream(content))


def loader(answer: httpx2.Response | Exception, *, rsa: bool = True) -> JwksLoader:
    def handle(request: httpx2.Request) -> httpx2.Response:
        assert str(request.url) == URI
        if isinstance(answer, Exception):
            raise answer
        return answer

    return JwksLoader(URI, rsa=rsa, transport=httpx2.MockTransport(handle))


async def test_keys_and_their_lifetime() -> None:
    loaded = await loader(response(200, cache_control="public, max-age=1800"))()
    assert loaded.lifetime == 1800
    assert loaded.keys.ed25519 == [ed25519_key().public_key()]
    assert list(loaded.keys.rsa) == ["rsa-1"]


async def test_rsa_keys_only_on_demand() -> None:
    assert (await loader(response(200), rsa=False)()).keys.rsa == {}


@pytest.mark.parametrize(
    ("status", "content", "headers"),
    [
        (500, DOCUMENT, {}),
        (404, b"", {}),
        (304, b"", {}),
        (301, b"", {"location": URI}),
        (206, DOCUMENT, {}),
        (200, b" " * 300_000, {}),
        (200, gzip.compress(DOCUMENT), {"content_encoding": "gzip"}),
    ],
)
async def test_unusable_answers(status: int, content: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(JwksError):
        await loader(response(status, content, **headers))()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"<html>", jwks(), jwks({"kty": "EC"}), b"[" * 9000]
)
async def test_a_set_with_nothing_usable(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - Python's own among them
        await loader(response(200, content))()


async def test_no_answer() -> None:
    with pytest.raises(httpx2.ConnectError):
        await loader(httpx2.ConnectError("refused"))()


async def test_over_a_real_connection_with_a_client_of_its_own() -> None:
    async def answer(request: Request) -> Response:
        assert request.headers["accept-encoding"] == "identity"
        return Response(DOCUMENT, headers={"cache-control": "max-age=60"})

    async def redirect(_request: Request) -> Response:
        return RedirectResponse("/")

    async def endless(_request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            while True:
                yield b" " * 65536
                await asyncio.sleep(0)

        return StreamingResponse(body())

    routes = [Route("/", answer), Route("/redirect", redirect), Route("/endless", endless)]
    async with serving(Starlette(routes=routes)) as base:
        load = JwksLoader(base + "/", rsa=False)
        first, again = await load(), await load()
        assert first.keys.ed25519 == again.keys.ed25519
        for path in ("/redirect", "/endless"):
            with pytest.raises(JwksError):
                await JwksLoader(base + path, rsa=False)()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("max-age=1800", 1800),
        ("public, max-age=1800, must-revalidate", 1800),
        ("Max-Age = 1800", 1800),
        ('max-age="1800"', 1800),
        ("public,max-age=1800", 1800),
        ("max-age=0", 60),
        ("max-age=999999999", 6 * 3600),
        ("max-age=-1", 3600),
        ("max-age=1e9", 3600),
        ("max-age=" + "9" * 5000, 3600),
        ("s-maxage=1800", 3600),
        ("xmax-age=1800", 3600),
        ("no-store", 3600),
        ("", 3600),
    ],
)
def test_lifetime(header: str, seconds: float) -> None:
    assert lifetime({"cache-control": header}) == seconds


@pytest.mark.parametrize(
    ("age", "seconds"),
    [("21000", 600), (" 0 ", 21600), ("21600", 60), ("9" * 9, 60), ("-1", 21600), ("x", 21600)],
)
def test_the_time_in_caches_counts(age: str, seconds: float) -> None:
    assert lifetime({"cache-control": "max-age=21600", "age": age}) == seconds


@given(st.text())
def test_any_lifetime_is_bounded(header: str) -> None:
    assert 60 <= lifetime({"cache-control": header}) <= 6 * 3600
    assert lifetime({}) == 3600
