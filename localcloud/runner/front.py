"""Stands before a function, passes every byte through, and tells when it has requests in flight.

Cloud Run's own front end passes complete requests on; this one passes bytes as they come, so that
the function's server meets whatever a client sends. A request is in flight from its first byte.
"""

import asyncio
import contextlib
import socket
import struct
from typing import cast

from localcloud.runner.exchange import Exchange
from localcloud.runner.freezer import Freezer

_BACKLOG = 2048
# Closing with this sends RST.
_RESET = struct.pack("ii", 1, 0)


class Front:
    """Accepts at `listener`, and connects to `address` for each connection."""

    def __init__(self, listener: socket.socket, address: tuple[str, int], freezer: Freezer) -> None:
        self._listener = listener
        self.address = address
        self.freezer = freezer
        self.links: set[Link] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to accept, unless it does so already."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Link(self).client, sock=self._listener, backlog=_BACKLOG
            )

    def close(self) -> None:
        """Stop accepting, and end every connection."""
        if self._server is not None:
            self._server.close()
        for link in tuple(self.links):
            link.abort()


class Link:
    """One connection of a client, and the one to the function that goes with it."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._exchange = Exchange()
        self._in_flight = False
        self.client = Side(self)
        self.function = Side(self)
        self.client.other, self.function.other = self.function, self.client

    def made(self, side: "Side") -> None:
        """Connect to the function once the client has."""
        if side is self.client:
            self._front.links.add(self)
            self._connecting = asyncio.ensure_future(self._connect())
        elif self.client.transport.is_closing():
            self.function.end(reset=True)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.function, *self._front.address)
        except OSError:
            self.abort()

    def passing(self, side: "Side", data: bytes) -> None:
        """Follow what one side sends, before it reaches the other."""
        if side is self.client:
            self._exchange.sent(data)
        else:
            self._exchange.received(data)

    def ended(self, side: "Side") -> bool:
        """Tell whether a side that sends nothing more may still receive: a client, not a server."""
        if side is self.function:
            return False
        self.function.send_end()
        self._exchange.last_until_end()
        self.settle()
        return True

    def settle(self, *, over: bool = False) -> None:
        """Tell the freezer of a change."""
        in_flight = self._exchange.in_flight and not over
        if in_flight != self._in_flight:
            self._in_flight = in_flight
            if in_flight:
                self._front.freezer.enter()
            else:
                self._front.freezer.leave()

    def lost(self, side: "Side", error: Exception | None) -> None:
        """End the other side as this one has ended."""
        self._front.links.discard(self)
        side.other.end(reset=error is not None)
        self.settle(over=True)

    def abort(self) -> None:
        """End both sides at once."""
        for side in (self.client, self.function):
            side.end(reset=True)


class Side(asyncio.Protocol):
    """One end of a link: what it receives, the other end sends."""

    other: "Side"

    def __init__(self, link: Link) -> None:
        self._link = link
        self._transport: asyncio.Transport | None = None
        # What the other end has sent before there was a connection, and whether it sends no more.
        # A loop need not heed `pause_reading` in `connection_made`: uvloop's does not.
        self._early = b""
        self._ended_early = False

    @property
    def transport(self) -> asyncio.Transport:
        """The connection, once there is one."""
        return cast("asyncio.Transport", self._transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._link.made(self)
        if self._early and not transport.is_closing():
            self.transport.write(self._early)
            self.other.transport.resume_reading()
        if self._ended_early:
            self.send_end()

    def send(self, data: bytes) -> None:
        """Send bytes, at the latest once there is a connection."""
        if self._transport is None:
            self._early += data
            self.other.transport.pause_reading()
        else:
            self._transport.write(data)

    def send_end(self) -> None:
        """Say that nothing more is sent, at the latest once there is a connection."""
        if self._transport is None:
            self._ended_early = True
            return
        with contextlib.suppress(OSError):
            self._transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, and only then have the function stopped or continued."""
        self._link.passing(self, data)
        self.other.send(data)
        self._link.settle()

    def eof_received(self) -> bool:
        """Pass the end on."""
        return self._link.ended(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side too."""
        self._link.lost(self, exc)

    def pause_writing(self) -> None:
        """Take no more from the other side for now."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Take from the other side again."""
        self.other.transport.resume_reading()

    def end(self, *, reset: bool) -> None:
        """Close once everything is sent, or at once with a reset."""
        if self._transport is None or (self._transport.is_closing() and not reset):
            return
        if reset:
            connected: socket.socket = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        else:
            self._transport.close()
