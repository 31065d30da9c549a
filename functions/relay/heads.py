"""Bounds on the head of a request, request line and headers, which the server itself does not have.

Cloud Run's front end passes on complete requests only; where there is none, a head could be as long
and take as long as its sender likes.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 131_072
"""Bytes that may arrive before a head has ended."""

HEAD_SECONDS = 10.0
"""Seconds in which a head must have arrived, from its first byte or the connection's start."""


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's protocol; a head beyond the bounds is answered 400, and the connection closed."""

    _size = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Expect the first head."""
        super().connection_made(transport)
        self._expect()

    def on_message_begin(self) -> None:
        """Expect the rest of a head."""
        super().on_message_begin()
        if self._late is None:
            self._expect()

    def on_headers_complete(self) -> None:
        """Take note that a head has ended."""
        self._settle()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived; stop if it is too much of a head."""
        super().data_received(data)
        self._size = self._size + len(data) if self._late else 0
        if self._size > MAX_HEAD:
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._settle()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._late = self.loop.call_later(HEAD_SECONDS, self._refuse)

    def _settle(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self) -> None:
        self._settle()
        if not self._size:
            # Nothing was asked; an answer could be taken for that to the next request.
            self.transport.close()
        elif not self.transport.is_closing():
            self.send_400_response("Request head too large or too slow.")


def bound_heads() -> None:
    """Have the server that functions-framework is about to start bound its heads."""
    from uvicorn_worker import UvicornWorker

    UvicornWorker.CONFIG_KWARGS = {**UvicornWorker.CONFIG_KWARGS, "http": BoundedHeads}
