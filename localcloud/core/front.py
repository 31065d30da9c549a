"""Emulators at one address, by gRPC and by HTTP/1.1."""

import contextlib
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from localcloud.core import rpc
from localcloud.core.serving import AppServer
from localcloud.core.shared_port import shared_port
from localcloud.core.transcoding import Rule, Transcoder

_HOST = "127.0.0.1"


class Front:
    """Serves services at `address` (`host:port`), which is the same each time it is opened.

    `rules` say how to call them by REST. `port` is that of the address, or a free one. `direct` is
    an address for gRPC alone, which takes a connection without looking at it.
    """

    def __init__(
        self,
        services: Mapping[str, rpc.Service],
        rules: Iterable[Rule],
        *,
        guard: rpc.Guard = rpc.allow,
        port: int = 0,
    ) -> None:
        self.address = f"{_HOST}:{port}"
        self.direct = f"{_HOST}:0"
        self._services = services
        self._guard = guard
        self._rest = Transcoder(services, rules, guard=guard)
        self._open = contextlib.AsyncExitStack()

    async def open(self) -> None:
        """Serve; raises `OSError` if the port is taken."""
        async with contextlib.AsyncExitStack() as opening:
            listener = await rpc.listen(self._services, guard=self._guard, address=self.direct)
            opening.push_async_callback(listener.stop)
            self.direct = listener.address
            http = await opening.enter_async_context(AppServer(self._rest))
            shared = shared_port(_pair(self.direct), _pair(http.url), _pair(self.address))
            host, port = await opening.enter_async_context(shared)
            self.address = f"{host}:{port}"
            self._open = opening.pop_all()

    async def close(self) -> None:
        """Stop at once; return once no call is under way."""
        await self._open.aclose()


def _pair(address: str) -> tuple[str, int]:
    parts = urlsplit(address if "//" in address else f"//{address}")
    return parts.hostname or _HOST, parts.port or 0
