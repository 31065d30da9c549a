"""Deliveries, their attempts and their answers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from localcloud.gemini.catalogue import rfc3339
from localcloud.gemini.forge import Forgery
from localcloud.gemini.outgoing import Message
from localcloud.gemini.settings import Scheme
from localcloud.gemini.webhook import Webhook

DeliveryState = Literal["pending", "delivered", "failed", "abandoned", "lost"]
"""`failed`: given up after its time; `abandoned`: its endpoint was disabled or is gone; `lost`: not
sent, as a test wants it."""


@dataclass(frozen=True)
class Attempt:
    """One request: when it was made (Unix seconds), and the HTTP status or the network's error."""

    at: float
    status: int | None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Return whether the endpoint accepted it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass
class Delivery:
    """The delivery of one event to one endpoint.

    `webhook` is None for a dynamic webhook. `at`, where given, is the timestamp (Unix seconds) that
    every attempt claims instead of the clock's. `delay_seconds` pass before the first.
    """

    number: int
    event_type: str
    uri: str
    scheme: Scheme
    message: Message
    webhook: Webhook | None = None
    forgery: Forgery | None = None
    at: int | None = None
    delay_seconds: float = 0.0
    state: DeliveryState = "pending"
    attempts: list[Attempt] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Return the delivery as the control API shows it."""
        return {
            "number": self.number,
            "webhook_id": self.message.webhook_id,
            "event_id": self.message.event_id,
            "type": self.event_type,
            "subject": self.message.subject,
            "uri": self.uri,
            "scheme": self.scheme,
            "registered": self.webhook.id if self.webhook else None,
            "forgery": self.forgery,
            "state": self.state,
            "attempts": [
                {"at": rfc3339(attempt.at), "status": attempt.status, "error": attempt.error}
                for attempt in self.attempts
            ],
        }


class Account:
    """The deliveries of this run, oldest first; the oldest settled ones go when there are too many.

    `total` counts all of them, also those no longer kept.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._deliveries: dict[int, Delivery] = {}
        self.total = 0

    def __iter__(self) -> Iterator[Delivery]:
        """Iterate over the deliveries kept, oldest first."""
        return iter(tuple(self._deliveries.values()))

    def add(self, delivery: Delivery) -> None:
        """Record a delivery."""
        self._deliveries[delivery.number] = delivery
        self.total += 1
        if len(self._deliveries) > self._kept:
            self._drop_oldest_settled()

    def next_number(self) -> int:
        """Return the number of the next delivery, from 1."""
        return self.total + 1

    def pending(self) -> int:
        """Return how many deliveries are not settled."""
        return sum(delivery.state == "pending" for delivery in self)

    def summary(self) -> dict[str, Any]:
        """Count the deliveries kept by state, and their attempts by status."""
        statuses = Counter(
            str(attempt.status or "no answer") for each in self for attempt in each.attempts
        )
        return {
            "total": self.total,
            "states": dict(Counter(delivery.state for delivery in self)),
            "attempts": dict(statuses),
        }

    def _drop_oldest_settled(self) -> None:
        for number, delivery in self._deliveries.items():
            if delivery.state != "pending":
                del self._deliveries[number]
                return
