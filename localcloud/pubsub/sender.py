"""Sending a push over HTTP."""

from collections.abc import Awaitable, Callable

import aiohttp
import httpx2
from yarl import URL

from localcloud.pubsub.envelope import PushRequest

_MAX_ANSWER_BYTES = 64 << 10


class PushFailedError(Exception):
    """A push got no answer, which counts as a failed attempt."""


Sender = Callable[[PushRequest], Awaitable[int]]
"""Makes a request and returns the status of its answer; raises `PushFailedError` without one."""


class HttpSender:
    """Sends pushes over HTTP/1.1, following no redirects, reusing connections.

    It sets no timeout: the acknowledgement deadline cancels a push. It belongs to the event loop of
    its first request. Pushes are most of the laptop stack's work, and aiohttp spends a quarter of
    the other HTTP client's time on one.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, request: PushRequest) -> int:
        """Make the request; return the status of its answer."""
        try:
            async with self._connected().post(
                URL(request.url, encoded=True),
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
            ) as answer:
                # Reading an answer to its end keeps the connection usable; long ones are cut off.
                read = 0
                while read <= _MAX_ANSWER_BYTES and (chunk := await answer.content.readany()):
                    read += len(chunk)
                return answer.status
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise PushFailedError(str(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                skip_auto_headers=("Accept-Encoding", "Content-Type"),
            )
        return self._session


class TransportSender:
    """Sends pushes over a transport of httpx2's, as `HttpSender` does over the network."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._client = httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False)

    async def __call__(self, request: PushRequest) -> int:
        """Make the request; return the status of its answer."""
        try:
            async with self._client.stream(
                "POST", request.url, content=request.body, headers=request.headers
            ) as answer:
                await _drain(answer)
                return answer.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise PushFailedError(str(error)) from error

    async def close(self) -> None:
        """Close the transport."""
        await self._client.aclose()


async def _drain(answer: httpx2.Response) -> None:
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > _MAX_ANSWER_BYTES:
            break
