"""Faults that a test asks for: errors before or after the effect, lost requests and replies."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from localcloud.gemini.errors import GoogleError

FaultKind = Literal[
    "error-before", "error-after", "lost-request", "lost-reply", "hang-before", "hang-after", "slow"
]
"""`error-…` answers `status` without or after acting; `lost-…` drops the connection likewise;
`hang-…` keeps silent until the caller goes; `slow` waits `seconds` of the clock, then answers."""


@dataclass
class Fault:
    """What happens to the next `times` calls of an operation, after `skip` that pass."""

    operation: str
    kind: FaultKind
    times: int = 1
    skip: int = 0
    status: int = 503
    seconds: float = 0.0

    def hits(self, operation: str) -> bool:
        """Count a call, and return whether the fault applies to it."""
        if operation != self.operation or self.times == 0:
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
        self._faults.append(fault)

    def take(self, operation: str) -> Fault | None:
        """Return the fault of this call, if any."""
        return next((fault for fault in self._faults if fault.hits(operation)), None)

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
