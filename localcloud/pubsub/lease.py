"""A message on a subscription, and the lease on it while someone holds it."""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from localcloud.pubsub.errors import invalid
from localcloud.pubsub.messages import Message

if TYPE_CHECKING:
    from localcloud.pubsub.timers import Timer


class State(Enum):
    """The state of a message on a subscription."""

    READY = auto()
    LEASED = auto()
    WAITING = auto()
    ACKNOWLEDGED = auto()
    GONE = auto()


class Entry:
    """A message on one subscription; `ack_id` is that of its lease, empty without one."""

    __slots__ = ("ack_id", "failures", "message", "state", "timer")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.failures = 0
        self.state = State.READY
        self.ack_id = ""
        self.timer: Timer | None = None

    def become(self, state: State) -> None:
        """Change the state, and cancel the timer of the old one."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.state = state


@dataclass(frozen=True, eq=False)
class Lease:
    """A message leased until its deadline; `attempt` counts from 1.

    `ended` is called when the lease ends, by an acknowledgement or by its deadline.
    """

    __slots__ = ("ack_id", "attempt", "ended", "entry")

    ack_id: str
    entry: Entry
    attempt: int
    ended: Callable[["Lease"], None]

    @property
    def message(self) -> Message:
        """The message that is leased."""
        return self.entry.message


class AckIds:
    """Acknowledgement ids of one subscription, unique across subscriptions; `given` counts them."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(6)
        self.given = 0

    def next(self) -> str:
        """Return an id that has not been given before."""
        self.given += 1
        return f"{self._mark}-{self.given}"

    def checked(self, ack_ids: Iterable[str]) -> list[str]:
        """Return the ids; raises `RpcError` (`INVALID_ARGUMENT`) if one was never given here."""
        checked = list(ack_ids)
        for ack_id in checked:
            if not _ACK_ID.fullmatch(ack_id):
                raise invalid(
                    f"You have passed an invalid ack ID to the service (ack_id={ack_id})."
                )
            if not ack_id.startswith(self._mark):
                raise invalid(
                    "You have passed a subscription that does not belong to the given ack ID "
                    f"(ack_id={ack_id})."
                )
        return checked


_ACK_ID = re.compile(r"[0-9a-f]{12}-[0-9]{1,19}")
