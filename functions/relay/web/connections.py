"""Bounds, in bytes and in time, on what a connection may send in each of its states.

uvicorn bounds none of it. Cloud Run's front end forwards complete requests only; on a laptop, or
behind anything else, a client could send a head, chunk extensions, trailers or pipelined requests
without end, or keep a connection open after it has its answer.
"""

import asyncio
import enum
import fcntl
import random
import socket
import sys
import termios

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_OVERHEAD = 131_072
"""Bytes of one request that are not its body: request line, headers, chunk framing, trailers."""

MAX_DISCARDED = 1_048_576
"""Bytes of one request that may still arrive after its answer; they are read and dropped."""

ARRIVAL_SECONDS = 10.0
"""Seconds in which a head must arrive, and in which a request must end once it is answered; and for
which the client may leave an answer unread."""

KEPT_SECONDS = 620.0
"""Seconds for which a connection may be idle through stops: longer than Google's front ends keep
one. https://cloud.google.com/load-balancing/docs/https/request-distribution"""

_LATE_SECONDS = 0.1
"""By which a time-out is late if the instance was stopped meanwhile."""

MAX_PIPELINED = 4
"""Requests of one connection that may wait for the answer to the one before them."""


class _Part(enum.Enum):
    HEAD = enum.auto()
    BODY = enum.auto()
    NONE = enum.auto()


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol; a connection that exceeds a bound is answered 400 if it can be, and ends.

    The body of a request that waits for its answer is the function's to bound (`relay.web.body`).
    Between requests uvicorn's own keep-alive time-out applies. An instance without CPU finds that
    time over on waking, on every connection at once, and so the time for a first request; its loop
    runs timers before it reads, and the requests of a burst come one after the other. So neither
    ends a connection on which a request has arrived, and both begin anew where they are late. No
    function speaks another
    protocol: a request to upgrade is answered as one without a body, which the parser does not
    read, and ends its connection.

    Each execution has a name in `function-execution-id`: the one that was sent, or a random one.
    """

    _part = _Part.HEAD
    _excess = 0
    _idle_since = 0.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Expect the first head."""
        super().connection_made(transport)
        _bound_unread(transport)
        self._idle_since = self.loop.time()
        self._start_timer()

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        super().on_message_begin()
        self._part = _Part.HEAD

    def on_headers_complete(self) -> None:
        """Note that the body has begun, be it empty; name the execution."""
        if len(self.pipeline) >= MAX_PIPELINED:
            # The parser stops, and uvicorn refuses what it was parsing.
            raise ConnectionAbortedError("too many pipelined requests")
        # The framework names an execution that has no name by a dozen random numbers, which takes
        # longer than a delivery's signature. A name that was sent comes before this one.
        self.headers.append((b"function-execution-id", b"%012x" % random.getrandbits(48)))
        super().on_headers_complete()
        self._part = _Part.BODY
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Count nothing of a body that the function reads."""
        if not self.cycle.response_complete:
            self._excess = max(0, self._excess - len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request has ended; the next one has bounds of its own."""
        # What follows it in the same read is not counted: one read is a bound too.
        self._part = _Part.NONE
        self._excess = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that a request is answered, whether or not all of it has arrived."""
        super().on_response_complete()
        self._idle_since = self.loop.time()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, and end the connection if it is too much."""
        if self._part is _Part.NONE:
            # Line ends between two requests, which the parser skips, count to the next head too.
            self._part = _Part.HEAD
        self._excess += len(data)
        super().data_received(data)
        if self._excess > (MAX_DISCARDED if self._answered() else MAX_OVERHEAD):
            self._end()
            return
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection, unless its next request has arrived, or may have had no time."""
        if _unread(self.transport):
            return
        if self._was_stopped(self.timeout_keep_alive_task):
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_timer()
        super().connection_lost(exc)

    def _answered(self) -> bool:
        return self._part is _Part.BODY and self.cycle.response_complete

    def _watch(self) -> None:
        if self._part is not _Part.HEAD and not self._answered():
            self._stop_timer()
        elif self._timer is None and not self.transport.is_closing():
            # A head that comes whole, as nearly all do, costs no timer.
            self._start_timer()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(ARRIVAL_SECONDS, self._end_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _was_stopped(self, timer: asyncio.TimerHandle | None) -> bool:
        """Tell whether a time-out that fires was due in a stop, and the connection may stay."""
        now = self.loop.time()
        late = timer is not None and now - timer.when() > _LATE_SECONDS
        return late and now - self._idle_since < KEPT_SECONDS

    def _end_late(self) -> None:
        if self._excess == 0 and (_unread(self.transport) or self._was_stopped(self._timer)):
            self._start_timer()
        else:
            self._end()

    def _end(self) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        if self._may_answer():
            self.send_400_response("Request too large or too slow.")
        else:
            self.transport.close()

    def _may_answer(self) -> bool:
        # An answer must not be taken for that to an earlier request, nor to none at all.
        if self._part is _Part.HEAD:
            waiting = bool(self.cycle) and not self.cycle.response_complete
            return self._excess > 0 and not waiting
        return not self.pipeline and not self.cycle.response_started


def _unread(transport: asyncio.Transport) -> int:
    """Return how many bytes have arrived that the loop has not read yet."""
    connected = transport.get_extra_info("socket")
    if transport.is_closing() or connected is None:
        return 0
    counted = fcntl.ioctl(connected.fileno(), termios.FIONREAD, bytes(4))
    return int.from_bytes(counted, sys.byteorder)


def _bound_unread(transport: asyncio.Transport) -> None:
    """Have the system end the connection if its client leaves an answer unread.

    Otherwise what cannot be sent keeps even a connection that is closing:
    https://man7.org/linux/man-pages/man7/tcp.7.html (`TCP_USER_TIMEOUT`, which only Linux has).
    """
    connected = transport.get_extra_info("socket")
    if connected is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = int(ARRIVAL_SECONDS * 1000)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
