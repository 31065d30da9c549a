"""Sending a push over HTTP."""

from collections.abc import Awaitable, Callable

import httpx2

from localcloud.core.certificates import certificates
from localcloud.pubsub.envelope import PushRequest

_MAX_ANSWER_BYTES = 64 << 10


class PushFailedError(Exception):
    """A push got no answer, which counts as a failed attempt."""


Sender = Callable[[PushRequest], Awaitable[int]]
"""Makes a request and returns the status of its answer; raises `PushFailedError` without one."""


class HttpSender:
    """Sends pushes, following no redirects, reusing connections.

    It sets no timeout of its own: a push is cut off by its acknowledgement deadline. It belongs to
    the event loop of its first request. `transport` is the network by default, without a client
    around it: a push needs none of what a client adds, which costs a third as much again.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        unlimited = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        self._transport = transport or httpx2.AsyncHTTPTransport(
            limits=unlimited, trust_env=False, verify=certificates()
        )

    async def __call__(self, request: PushRequest) -> int:
        """Make the request; return the status of its answer."""
        try:
            answer = await self._transport.handle_async_request(
                httpx2.Request("POST", request.url, content=request.body, headers=request.headers)
            )
            try:
                await _drain(answer)
            finally:
                await answer.aclose()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise PushFailedError(str(error)) from error
        return answer.status_code

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


async def _drain(answer: httpx2.Response) -> None:
    """Read the answer to its end, which leaves the connection usable, unless it is a long one."""
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > _MAX_ANSWER_BYTES:
            break
