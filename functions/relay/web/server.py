"""The functions' server, and bounds on the head of a request, which it does not have by itself.

A head is the request line and the headers.
Cloud Run's front end passes on complete requests only; where there is none, a head could be as long
and take as long as its sender likes.
"""

import asyncio
import random

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 131_072
"""Bytes that may arrive before a head has ended."""

HEAD_SECONDS = 10.0
"""Seconds in which a head must have arrived, from its first byte or the connection's start."""


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's protocol; a head beyond the bounds is answered 400, and the connection closed.

    Each execution has a name in `function-execution-id`: the one that was sent, or a random one.
    """

    _size = 0
    _in_head = True
    _in_body = False
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Expect the first head."""
        super().connection_made(transport)
        self._expect()

    def on_message_begin(self) -> None:
        """Take note that a head has begun."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Take note that it has ended, and a body begun, be it empty; name the execution."""
        self._in_head, self._in_body = False, True
        # The framework would name an execution that has no name yet, by a dozen random numbers,
        # which take longer than a delivery's signature. A name that was sent stands before this.
        self.headers.append((b"function-execution-id", b"%012x" % random.getrandbits(48)))
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Take note that the body has ended."""
        self._in_body = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived; stop if it is too much of a head."""
        of_body = self._in_body
        super().data_received(data)
        if not self._in_head:
            self._settle()
            return
        # What ends a body and begins a head may be body for the most part.
        self._size += 0 if of_body else len(data)
        if self._size > MAX_HEAD:
            self._refuse()
        elif self._late is None:
            # A head that comes whole, as nearly all do, costs no timer.
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._settle()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._late = self.loop.call_later(HEAD_SECONDS, self._refuse)

    def _settle(self) -> None:
        self._size = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self) -> None:
        asked = self._size
        self._settle()
        if not asked:
            # Nothing was asked; an answer could be taken for that to the next request.
            self.transport.close()
        elif not self.transport.is_closing():
            self.send_400_response("Request head too large or too slow.")


def set_server_up() -> None:
    """Set up the server that functions-framework is about to start.

    It bounds heads; it takes nobody's word for who is behind a proxy, which no function asks for;
    and it does not tell everybody what it is.
    """
    from uvicorn_worker import UvicornWorker

    settings = {"http": BoundedHeads, "proxy_headers": False, "server_header": False}
    UvicornWorker.CONFIG_KWARGS = {**UvicornWorker.CONFIG_KWARGS, **settings}
