"""What is known of one event or job, from Gemini to its subscribers. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hooks.deadletter import DeadLetter
from hooks.events.replay import replayed_at
from hooks.ledger import Entry
from relay.dispatcher.claims import CLAIMED
from relay.gemini.webhooks import Webhook


@dataclass(frozen=True)
class Attempt:
    """One attempt of Gemini's to deliver: `status` is None where `error` says why none came."""

    webhook_id: str
    at: datetime
    status: int | None
    error: str | None

    @property
    def accepted(self) -> bool:
        """Whether the receiver acknowledged it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A subscription, by its full name, and what it has not acknowledged.

    `hop` is `dispatcher` for a subscription of the ingress topic, `subscriber` for one of the
    events topic or of a route. `endpoint` is empty unless it pushes. `waiting` counts its messages,
    of which there are more if `more`; `holds` says whether the event is among them.
    """

    hop: str
    subscription: str
    endpoint: str
    waiting: int
    more: bool
    holds: bool

    @property
    def name(self) -> str:
        """The short name."""
        return self.subscription.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that was found out about `wanted`, a webhook id or a job's id.

    `job` is Gemini's own word for the state of the job. `refusals` counts the deliveries of the
    last day that the receiver refused, of any event, by reason. `unknown` names what could not be
    read, with the reason.
    """

    wanted: str
    webhook: Webhook | None = None
    job: str = ""
    attempts: Sequence[Attempt] = ()
    refusals: Mapping[str, int] = field(default_factory=dict)
    stored: Sequence[Entry] = ()
    entries: Sequence[Entry] = ()
    letters: Sequence[DeadLetter] = ()
    holdings: Sequence[Holding] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)

    def holders(self, hop: str) -> list[Holding]:
        """Return the subscriptions of one hop that still have the event."""
        return [each for each in self.holdings if each.hop == hop and each.holds]


@dataclass(frozen=True)
class Step:
    """One line of the timeline: when, in UTC or None if that is not known, where, and what."""

    at: datetime | None
    place: str
    what: str


def timeline(facts: Facts) -> list[Step]:
    """Return what happened to the event, oldest first; what has no time stands at the end."""
    steps = sorted(_dated(facts), key=lambda step: (step.at is None, step.at or _LONG_AGO))
    return [*_of_gemini(facts), *steps, *_of_subscriptions(facts)]


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _of_gemini(facts: Facts) -> Iterator[Step]:
    if facts.job:
        yield Step(None, "gemini", f"says that the job is {facts.job}")
    if facts.webhook:
        state = facts.webhook.state or "in no state that it tells"
        yield Step(None, "gemini", f"has the webhook {facts.webhook.id}, which is {state}")
    for reason, count in sorted(facts.refusals.items()):
        what = f"refused {count} deliveries of the last day, of any event: {reason}"
        yield Step(None, "receiver", what)


def _dated(facts: Facts) -> Iterator[Step]:
    for attempt in facts.attempts:
        answer = str(attempt.status or attempt.error)
        yield Step(attempt.at, "receiver", f"answered the delivery {attempt.webhook_id}: {answer}")
    for entry in facts.stored:
        what = f"stored as {entry['id']}, {entry['state']}"
        yield Step(_time(entry.get("received_at")), "ingress", what)
    for entry in facts.entries:
        yield from _of_entry(entry)
    for letter in facts.letters:
        what = f"dead letter {letter.id}: {letter.reason}"
        yield Step(letter.died, "dead letters", what)


def _of_entry(entry: Entry) -> Iterator[Step]:
    replay = str(entry.get("replay") or "")
    name = f"replay {replay} of {entry['id']}" if replay else str(entry["id"])
    at = _time(entry.get("received_at")) if not replay else replayed_at(replay)
    yield Step(at, "ingress", f"stored {name}, {entry.get('type') or 'of no type'}")
    attempt = int(entry.get("attempt") or 1)
    takeovers = f", taken over {attempt - 1} times" if attempt > 1 else ""
    routes = ", ".join(entry.get("routes_done") or ()) or "no route"
    absorbed = entry.get("absorbed_by")
    told = f"; absorbed by {absorbed}" if absorbed else ""
    state = entry.get("state")
    until = f" until {_time(entry.get('lease_until')):%H:%M:%S}" if state == CLAIMED else ""
    yield Step(at, "dispatcher", f"{state}{until}{takeovers}, published to {routes}{told}")


def _of_subscriptions(facts: Facts) -> Iterator[Step]:
    for each in facts.holdings:
        count = f"{each.waiting}{' or more' if each.more else ''}"
        kind = f"pushes to {each.endpoint}" if each.endpoint else "is pulled"
        among = "this event among them" if each.holds else "not this event"
        yield Step(None, each.hop, f"{each.name} {kind}; {count} unacknowledged, {among}")


def _time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else _LONG_AGO
