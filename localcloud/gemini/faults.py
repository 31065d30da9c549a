"""Faults that a test asks for: errors before or after the effect, lost requests and replies."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Literal, get_args

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from localcloud.gemini.errors import GoogleError

FaultKind = Literal[
    "error-before",
    "error-after",
    "lost-request",
    "lost-reply",
    "hang-before",
    "hang-after",
    "slow",
    "empty-reply",
    "html-reply",
    "cut-frame",
    "cut-array",
    "cut-connection",
    "silence",
]
"""`error-…` answers `status` without or after acting; `lost-…` drops the connection likewise;
`hang-…` keeps silent until the caller goes; `slow` waits `seconds` of the clock, then answers;
`empty-reply` and `html-reply` act, and answer 200 with `{}` or a page.

The others strike a stream once its first `after` events have gone out, whether now or before it was
resumed, or a download after as many bytes: `cut-frame` ends the body within an event, `cut-array`
with the JSON array of an error between the events, `cut-connection` drops the connection, and
`silence` sends nothing more."""

_OF_BODIES = frozenset({"cut-frame", "cut-array", "cut-connection", "silence"})
_STREAMS = frozenset({"interactions.stream", "interactions.create"})
_DOWNLOADS = frozenset({"files.download"})


@dataclass
class Fault:
    """What happens to the next `times` calls of an operation, after `skip` that pass.

    `id` narrows it to calls about that job or file. `interactions.stream` is the operation of a
    lookup that streams, `interactions.get` that of any other.
    """

    operation: str
    kind: FaultKind
    times: int = 1
    skip: int = 0
    status: int = 503
    seconds: float = 0.0
    after: int = 0
    id: str = ""

    @property
    def of_body(self) -> bool:
        """Return whether it strikes within the body, rather than the call."""
        return self.kind in _OF_BODIES

    def hits(self, operation: str, identifier: str) -> bool:
        """Count a call, and return whether the fault applies to it."""
        if operation != self.operation or self.times == 0 or self.id not in {"", identifier}:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Faults:
    """The faults to come."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault. Raises `GoogleError` for an unknown kind."""
        if fault.kind not in get_args(FaultKind):
            raise GoogleError(400, f"kind must be one of {', '.join(get_args(FaultKind))}.")
        if not 400 <= fault.status <= 599:
            raise GoogleError(400, "status must be an error's: 400 to 599.")
        if fault.of_body and fault.operation not in _bodies(fault.kind):
            raise GoogleError(400, f"{fault.kind} strikes {sorted(_bodies(fault.kind))} alone.")
        self._faults.append(fault)

    def take(self, operation: str, identifier: str) -> Fault | None:
        """Return the fault of this call, if any; `identifier` is what the call is about."""
        return next((fault for fault in self._faults if fault.hits(operation, identifier)), None)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def describe(self) -> list[dict[str, Any]]:
        """Return the faults to come."""
        return [vars(fault) for fault in self._faults if fault.times > 0]


class HangUp(Response):
    """Drops the connection without an answer that a client could read.

    The server has announced a byte that never comes, so it closes the connection.
    """

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Announce a body, and send only a part of it."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class Dropped(Exception):
    """Ends a body by dropping the connection."""


class Body(StreamingResponse):
    """A streamed body, which `Dropped` ends without its end."""

    async def stream_response(self, send: Send) -> None:
        """Send it; the server closes the connection of a body that has no end."""
        with contextlib.suppress(Dropped):
            await super().stream_response(send)


async def strike(fault: Fault) -> None:
    """Drop the connection, or fall silent for ever."""
    if fault.kind == "silence":
        await asyncio.Event().wait()
    raise Dropped


def body_fault(request: Request) -> Fault | None:
    """Return the fault that strikes within the body of this call, if any."""
    return getattr(request.state, "fault", None)


def _bodies(kind: FaultKind) -> frozenset[str]:
    return _STREAMS if kind in {"cut-frame", "cut-array"} else _STREAMS | _DOWNLOADS
