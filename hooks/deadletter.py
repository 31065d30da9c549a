"""Dead letters: what one says, how to select some, and how to replay one.

Pure. There are two kinds. One that the dispatcher published bears its `reason`. One that Pub/Sub
published, after the last delivery attempt, bears the attributes described at
https://cloud.google.com/pubsub/docs/handling-failures#how_dead_letter_topics_work.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from hooks.bodies import body_type
from hooks.leases import LeasedMessage
from relay.dispatcher import event
from relay.ingress import parse_time

EXHAUSTED = "attempts-exhausted"
MALFORMED = frozenset(
    {
        *(event.NOT_JSON, event.NOT_AN_OBJECT, event.NO_TYPE, event.BAD_TYPE),
        *(event.NO_ID, event.BAD_ID, event.NO_KEY),
    }
)
"""The reasons that are in the message itself, so that no replay can succeed."""

REPLAYS = "dead-letter-replays"
"""The attribute that counts how often a dead letter has been replayed."""

MOST_REPLAYS = 3
"""Replays of a dead letter without --force: a step that failed so often is not mended yet."""

_SOURCE = "CloudPubSubDeadLetterSource"
_COUNT = f"{_SOURCE}DeliveryCount"
_SUBSCRIPTION = f"{_SOURCE}Subscription"
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter as an operator sees it.

    `event_id`, `type` and `subscription` (whose attempts were used up) are empty if unknown.
    `attempts` counts the delivery attempts; it is None for a dead letter of the dispatcher, which
    publishes one at the first attempt. `died` and `received` are in UTC. `replays` counts the
    replays of this dead letter.
    """

    message: LeasedMessage
    event_id: str
    type: str
    reason: str
    attempts: int | None
    subscription: str
    died: datetime
    received: datetime | None
    replays: int

    @property
    def id(self) -> str:
        """Pub/Sub's id of the message."""
        return self.message.message_id

    @property
    def key(self) -> str:
        """The event's key in the ledger; empty if the message bears none."""
        given = self.message.attributes
        key, replay = given.get("dedup-key", ""), given.get("replay", "")
        return f"{key}\n{replay}" if key and replay else key

    def age(self, now: datetime) -> float:
        """Return the seconds since it became a dead letter."""
        return max(0.0, (now - self.died).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Selects the dead letters that match every field that is set, or `everything`.

    `ids` holds ids of messages or of events; `type` is a glob.
    """

    ids: frozenset[str] = frozenset()
    reason: str = ""
    type: str = ""
    everything: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing has been said."""
        return not (self.ids or self.reason or self.type or self.everything)

    def takes(self, letter: DeadLetter) -> bool:
        """Tell whether a dead letter is selected."""
        return (
            (not self.ids or bool(self.ids & {letter.id, letter.event_id}))
            and (not self.reason or letter.reason == self.reason)
            and (not self.type or fnmatchcase(letter.type, self.type))
        )


def read(message: LeasedMessage) -> DeadLetter:
    """Read a message of a dead-letter subscription; any message can be read."""
    given = message.attributes
    return DeadLetter(
        message=message,
        event_id=given.get("webhook-id") or given.get("ce-id", ""),
        type=given.get("ce-type") or body_type(message.data),
        reason=given.get("reason") or EXHAUSTED,
        attempts=_count(given.get(_COUNT)),
        subscription=given.get(_SUBSCRIPTION, ""),
        died=message.published,
        received=parse_time(given.get("received-at")),
        replays=_count(given.get(REPLAYS)) or 0,
    )


def replayed(letter: DeadLetter) -> dict[str, str]:
    """Return the attributes with which a dead letter is published to its topic again.

    They are the original ones, by which the ledger recognises the event (with `replay` and
    `replay-route` if it was a replay), without those that dead-lettering added. `REPLAYS` is one
    higher.
    """
    kept = {
        name: value
        for name, value in letter.message.attributes.items()
        if name != "reason" and not name.startswith(_SOURCE) and not name.startswith("goog")
    }
    return {**kept, REPLAYS: str(letter.replays + 1)}


def described(letter: DeadLetter, now: datetime) -> dict[str, Any]:
    """Return a dead letter for JSON output, without its payload; times are RFC 3339 in UTC."""
    return {
        "id": letter.id,
        "event_id": letter.event_id,
        "type": letter.type,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "age_seconds": int(letter.age(now)),
        "dead_lettered_at": letter.died.isoformat(),
        "received_at": letter.received.isoformat() if letter.received else None,
        "subscription": letter.subscription,
        "replays": letter.replays,
    }


def _count(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text) else None
