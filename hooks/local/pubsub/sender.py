"""Sending a push over HTTP."""

from collections.abc import Awaitable, Callable

import httpx2

from hooks.local.pubsub.envelope import PushRequest


class PushFailedError(Exception):
    """A push got no answer: it counts as a failed attempt."""


Sender = Callable[[PushRequest], Awaitable[int]]
"""Makes a request and returns the status of its answer; raises `PushFailedError` without one."""


class HttpSender:
    """Sends pushes over HTTP/1.1, following no redirects, reusing connections.

    It sets no timeout of its own: a push is cut off by its acknowledgement deadline.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None

    async def __call__(self, request: PushRequest) -> int:
        """Make the request; return the status of its answer."""
        try:
            async with self._connected().stream(
                "POST", request.url, content=request.body, headers=request.headers
            ) as answer:
                await _drain(answer)
                return answer.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise PushFailedError(str(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _connected(self) -> httpx2.AsyncClient:
        # Made on first use: building one reads the machine's certificates, which costs a while.
        if self._client is None:
            self._client = httpx2.AsyncClient(
                transport=self._transport,
                timeout=None,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
                trust_env=False,
            )
        return self._client


async def _drain(answer: httpx2.Response) -> None:
    # An answer read to its end leaves the connection usable; a long one is not worth it.
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > _MAX_ANSWER_BYTES:
            break


_MAX_ANSWER_BYTES = 64 << 10
