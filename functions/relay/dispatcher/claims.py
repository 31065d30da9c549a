"""The claim protocol's decisions: what a ledger document says, and what to write next.

Pure: the time is passed in, and nothing here reads or writes. The protocol and its invariants are
recorded in docs/decisions/0002-claim-protocol.md.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from relay.dispatcher.event import Event
from relay.ingress import parse_time

CLAIMED = "claimed"
DONE = "done"
DEAD_LETTERED = "dead-lettered"
POISON = "poison"
"""The states of a document. A dead-lettered event goes on when replayed; a poison message is done
with once it is a dead letter, and its replay is claimed by a key of its own."""

FINAL = frozenset({DONE, POISON})
"""The states after which nothing is left to do until the document expires."""

SHARDS = 16

# A dead letter may be replayed for as long as it is kept, so its progress is kept as long.
_DEAD_LETTER_RETENTION = timedelta(days=31)

Fields = dict[str, Any]
"""Fields of a ledger document, as Python values that Firestore takes; times in UTC."""


@dataclass(frozen=True)
class Terms:
    """The times of the protocol, in proportion to the lease.

    The default lease of 120 s covers a budget of 45 s to work in, 60 s of clock difference and
    15 s of margin. The budget never exceeds 45 s, since the function's own timeout is 60 s.
    """

    lease: timedelta = timedelta(seconds=120)
    retention: timedelta = timedelta(days=7)

    @property
    def budget(self) -> float:
        """How long one request may work, in seconds."""
        return min(45.0, self.lease.total_seconds() * 3 / 8)

    @property
    def patience(self) -> float:
        """How long a request keeps reading another worker's claim, in seconds."""
        return self.budget / 15


class Verdict(Enum):
    """What a document means for a worker that wants the event."""

    DUPLICATE = "duplicate"
    BUSY = "busy"
    FREE = "free"


@dataclass(frozen=True)
class Record:
    """What the protocol reads of a ledger document."""

    state: str
    owner: str
    attempt: int
    lease_until: datetime
    expire_at: datetime
    routes_done: tuple[str, ...]
    absorbed_by: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Record":
        """Read a document. A missing or malformed field means that work remains."""
        return cls(
            state=str(fields.get("state", "")),
            owner=str(fields.get("owner", "")),
            attempt=_typed(fields.get("attempt"), int, 0),
            lease_until=_typed(fields.get("lease_until"), datetime, _LONG_AGO),
            expire_at=_typed(fields.get("expire_at"), datetime, _LONG_AGO),
            routes_done=tuple(map(str, _typed(fields.get("routes_done"), list, []))),
            absorbed_by=_typed(fields.get("absorbed_by"), str, ""),
        )


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _typed(value: object, kind: type[Any], default: Any) -> Any:
    return value if isinstance(value, kind) else default


def document_id(key: str) -> str:
    """Return a ledger key's document id: spread evenly, and legal whatever the key holds."""
    return hashlib.sha256(key.encode()).hexdigest()


def shard(document: str) -> int:
    """Return which of the 16 shards a document's id falls into, for listing newest first."""
    return int(document[0], SHARDS)


def judge(record: Record, now: datetime) -> Verdict:
    """Decide what a document that another request wrote means at `now`."""
    if record.state in FINAL:
        return Verdict.DUPLICATE if now < record.expire_at else Verdict.FREE
    return Verdict.BUSY if now < record.lease_until else Verdict.FREE


def first_claim(event: Event, owner: str, now: datetime, terms: Terms) -> Fields:
    """Return a new document's fields; a replay's document also names the `replay`."""
    replay = event.attributes.get("replay")
    return {
        **({"replay": replay} if replay else {}),
        "id": event.id,
        "type": event.type,
        "subject": event.subject,
        "scheme": event.scheme,
        "received_at": parse_time(event.received_at) or now,
        "shard": shard(document_id(event.key)),
        "state": CLAIMED,
        "owner": owner,
        "attempt": 1,
        "lease_until": now + terms.lease,
        "expire_at": now + terms.retention,
        "routes_done": [],
    }


def resumed(record: Record) -> tuple[str, ...]:
    """Return the routes that a takeover may skip.

    Where a final document has expired, the event counts as new: none.
    """
    return () if record.state in FINAL else record.routes_done


def takeover(record: Record, event: Event, owner: str, now: datetime, terms: Terms) -> Fields:
    """Return the fields that take over a document whose lease has expired."""
    done = resumed(record)
    fields = first_claim(event, owner, now, terms)
    return {
        **fields,
        # What counts as new is absorbed anew, or not.
        **({"absorbed_by": None} if record.absorbed_by else {}),
        "attempt": 1 if record.state in FINAL else record.attempt + 1,
        "expire_at": _expiry(now, terms, done),
        "routes_done": list(done),
    }


def ended(
    state: str,
    routes_done: Iterable[str],
    now: datetime,
    terms: Terms,
    *,
    absorbed_by: str = "",
) -> Fields:
    """Return the fields that end a claim: its progress, and the end of its lease.

    `absorbed_by` is the key of the event that announced the same before, for one that is done
    without a fan-out.
    """
    done = sorted(routes_done)
    return {
        **({"absorbed_by": absorbed_by} if absorbed_by else {}),
        "state": state,
        "lease_until": now,
        "expire_at": _expiry(now, terms, () if state in FINAL else done),
        "routes_done": done,
    }


def _expiry(now: datetime, terms: Terms, progress: Iterable[str]) -> datetime:
    kept = max(terms.retention, _DEAD_LETTER_RETENTION) if list(progress) else terms.retention
    return now + kept
