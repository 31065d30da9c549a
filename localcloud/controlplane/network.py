"""The HTTP transport of the local cloud's own services."""

import secrets
from types import TracebackType
from typing import Self

import httpx2

from localcloud.controlplane.door import INTERNAL
from localcloud.core.certificates import certificates


class Network(httpx2.AsyncBaseTransport):
    """Sends the requests of Pub/Sub and Cloud Scheduler.

    `mark` tells a door that they are internal. `hosts` maps an origin such as
    `https://consumer.example` to a loopback address, since Google pushes to https only.
    """

    def __init__(self) -> None:
        self.mark = secrets.token_hex(16)
        self.hosts: dict[str, str] = {}
        self._doors: set[str] = set()
        self._transport = httpx2.AsyncHTTPTransport(
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            verify=certificates(),
        )

    def own(self, url: str) -> None:
        """Register a door's address: only doors are sent the mark."""
        self._doors.add(url)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request to the address of its host."""
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        target = self.hosts.get(origin, origin)
        if target in self._doors:
            request.headers[INTERNAL] = self.mark
        if target != origin:
            request.url = httpx2.URL(f"{target}{request.url.raw_path.decode()}")
        return await self._transport.handle_async_request(request)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
