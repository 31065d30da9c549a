"""A proxy that refuses and records every connection to another machine."""

import asyncio
from types import TracebackType
from typing import Self

from localcloud.controlplane.journal import Entry
from localcloud.controlplane.state import State

_LONGEST_LINE = 8192

# The provider always asks whose its credentials are, and works without an answer.
_ASKED_IN_VAIN = frozenset({"openidconnect.googleapis.com:443"})


class Outside:
    """An HTTP proxy at `url` that answers every attempt to tunnel with 501, and records it.

    The google provider uses it for every host that has no custom endpoint, so that no access token
    reaches the real Google.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await reader.readuntil(b"\r\n"))[:_LONGEST_LINE].decode("latin-1").split()
            await reader.readuntil(b"\r\n\r\n")
            self._record(line[1] if len(line) > 1 else "")
            writer.write(b"HTTP/1.1 501 The local cloud does not imitate it\r\n\r\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            # The client hung up, or does not speak HTTP.
            return
        finally:
            writer.close()

    def _record(self, host: str) -> None:
        now = self._state.clock.time()
        writes = host not in _ASKED_IN_VAIN
        self._state.journal.add(Entry(now, "", host, f"CONNECT {host}", 501, writes=writes))
