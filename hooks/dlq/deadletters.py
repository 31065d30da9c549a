"""Dead letters: what one says, which are meant, and how one goes back to the step that failed.

Pure. There are two kinds. One that the dispatcher published bears its `reason`. One that Pub/Sub
made, once its attempts were used up, bears the attributes that
https://cloud.google.com/pubsub/docs/handling-failures#how_dead_letter_topics_work describes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from hooks.dlq.holding import Held
from relay.dispatcher.event import parse_time

EXHAUSTED = "attempts-exhausted"
REPLAYS = "dead-letter-replays"
"""The attribute that counts how often a dead letter has been replayed."""

MOST_REPLAYS = 3
"""So often a dead letter is replayed without being asked twice: what comes back that often will."""

_SOURCE = "CloudPubSubDeadLetterSource"
_COUNT = f"{_SOURCE}DeliveryCount"
_SUBSCRIPTION = f"{_SOURCE}Subscription"
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter as an operator sees it.

    `id` is Pub/Sub's message id. `event_id`, `type` and `subscription` (the one that gave up) are
    empty where they are not known. `attempts` is how often delivery was tried, None where nobody
    counted: what the dispatcher gives up, it gives up at once. `died` and `received` are in UTC.
    `replays` counts the replays it has been through.
    """

    held: Held
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
        return self.held.message_id

    @property
    def key(self) -> str:
        """What the ledger knows the event by; empty where the message bears no key."""
        given = self.held.attributes
        key, replay = given.get("dedup-key", ""), given.get("replay", "")
        return f"{key}\n{replay}" if key and replay else key

    def age(self, now: datetime) -> float:
        """Return for how long it has been dead, in seconds."""
        return max(0.0, (now - self.died).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which dead letters are meant: those that satisfy all that is said, or `everything`.

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
        """Tell whether a dead letter is meant."""
        return (
            (not self.ids or bool(self.ids & {letter.id, letter.event_id}))
            and (not self.reason or letter.reason == self.reason)
            and (not self.type or fnmatchcase(letter.type, self.type))
        )


def read(held: Held) -> DeadLetter:
    """Return what a message of the dead-letter subscription says, whatever it is."""
    given = held.attributes
    return DeadLetter(
        held=held,
        event_id=given.get("webhook-id") or given.get("ce-id", ""),
        type=given.get("ce-type") or body_type(held.data),
        reason=given.get("reason") or EXHAUSTED,
        attempts=_count(given.get(_COUNT)),
        subscription=given.get(_SUBSCRIPTION, ""),
        died=held.published,
        received=parse_time(given.get("received-at")),
        replays=_count(given.get(REPLAYS)) or 0,
    )


def replayed(letter: DeadLetter) -> dict[str, str]:
    """Return the attributes with which a dead letter goes back to the topic that it came from.

    They are those it came with, so that the ledger knows it again (a replay's `replay` and
    `replay-route` among them), without what its death added, and with one more replay counted.
    """
    kept = {
        name: value
        for name, value in letter.held.attributes.items()
        if name != "reason" and not name.startswith(_SOURCE) and not name.startswith("goog")
    }
    return {**kept, REPLAYS: str(letter.replays + 1)}


def described(letter: DeadLetter, now: datetime) -> dict[str, Any]:
    """Return a dead letter as JSON shows it, without its payload; times are RFC 3339 in UTC."""
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


def body_type(data: bytes) -> str:
    """Return the `type` that a body states, or nothing where it states none."""
    document = as_json(data)
    kind = document.get("type") if isinstance(document, Mapping) else None
    return kind if isinstance(kind, str) else ""


def as_json(data: bytes) -> object:
    """Return the document that data holds, or None where it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _count(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text) else None
