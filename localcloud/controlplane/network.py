"""How the local cloud's own services reach HTTP endpoints: as Google, and where a name leads."""

import secrets
from types import TracebackType
from typing import Self

import httpx2

from localcloud.controlplane.door import INTERNAL


class Network(httpx2.AsyncBaseTransport):
    """Carries the requests of Pub/Sub and Cloud Scheduler.

    A door knows them by `mark` as internal traffic. `hosts` says which loopback address stands for
    an origin such as `https://consumer.example`, since what Google pushes to is always https.
    """

    def __init__(self) -> None:
        self.mark = secrets.token_hex(16)
        self.hosts: dict[str, str] = {}
        self._doors: set[str] = set()
        self._transport = httpx2.AsyncHTTPTransport(
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64)
        )

    def own(self, url: str) -> None:
        """Take an address as one of our doors': only these are told the mark."""
        self._doors.add(url)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request to where its host leads."""
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
