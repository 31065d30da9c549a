"""The demo's account: what was sent, compared with the answers and the messages received."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hooks.laptop.demo.audience import SUBSCRIBER, Audience, event_id
from localcloud.gemini.deliveries import Delivery

_STATUS_OF_A_FORGERY = {"missing-header": 400}
_UNAUTHENTIC = 401


@dataclass(frozen=True)
class Expected:
    """The ids of the events that each listener must receive exactly once, by its name."""

    events: Mapping[str, frozenset[str]]

    @classmethod
    def of(
        cls, deliveries: Iterable[Delivery], wanted: Mapping[str, Callable[[Delivery], bool]]
    ) -> "Expected":
        """Derive them from the deliveries; `wanted` says which events each listener must get."""
        genuine = [delivery for delivery in deliveries if not delivery.forgery]
        return cls(
            {
                name: frozenset(each.message.event_id for each in genuine if wants(each))
                for name, wants in wanted.items()
            }
        )

    def heard_by(self, audience: Audience) -> bool:
        """Tell whether every listener has received all of its events."""
        return all(ids <= set(audience.ids(name)) for name, ids in self.events.items())


@dataclass(frozen=True)
class Refusal:
    """The deliveries of one kind of forgery, and the statuses of their answers."""

    reason: str
    sent: int
    refused: int
    statuses: Sequence[int]


@dataclass(frozen=True)
class Check:
    """One thing that must hold; `detail` gives the numbers."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """The result of a demo. `lost` and `surplus` hold ids of events; the rest are counts."""

    events: int
    deliveries: int
    accepted: int
    stored: int
    duplicates_dropped: int
    refusals: Sequence[Refusal]
    heard: Mapping[str, int]
    lost: Sequence[str]
    surplus: Sequence[str]
    checks: Sequence[Check]

    @property
    def adds_up(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    @property
    def verdict(self) -> str:
        """The counts in one line."""
        refused = sum(refusal.refused for refusal in self.refusals)
        return (
            f"{self.accepted} accepted, {self.duplicates_dropped} duplicates dropped,"
            f" {refused} refused, {self.heard['events']} fanned out, {len(self.lost)} lost"
        )

    def facts(self) -> dict[str, Any]:
        """Return the account as a JSON object."""
        return {**asdict(self), "verdict": self.verdict, "adds_up": self.adds_up}


def draw_up(
    deliveries: Sequence[Delivery], audience: Audience, expected: Expected, *, owed: int | None
) -> Account:
    """Compare what was sent with what was received.

    `owed` is how many messages the dispatcher has not acknowledged yet, None if unknown.
    """
    genuine = [delivery for delivery in deliveries if not delivery.forgery]
    refusals = _refusals(delivery for delivery in deliveries if delivery.forgery)
    accepted = sum(attempt.succeeded for each in genuine for attempt in each.attempts)
    stored, events = audience.ids("ingress"), audience.ids("events")
    ids = expected.events["events"]
    lost, surplus = _differences(expected, audience)
    return Account(
        events=len(ids),
        deliveries=len(deliveries),
        accepted=accepted,
        stored=stored.total(),
        duplicates_dropped=stored.total() - events.total(),
        refusals=refusals,
        heard={name: len(messages) for name, messages in audience.heard.items()},
        lost=lost,
        surplus=surplus,
        checks=[
            _all_accepted(genuine),
            _all_refused(refusals),
            _equal("every acknowledged delivery was stored", accepted, stored.total(), "stored"),
            _none("nothing hostile was stored", stored.keys() - ids, "foreign ids"),
            _none("no event was lost", lost, "missing"),
            _none("no event came twice, and no unknown one", surplus, "too many"),
            *(_heard(name, wanted, audience) for name, wanted in expected.events.items()),
            _unaltered(genuine, audience),
            *([] if owed is None else [_none_left(owed)]),
        ],
    )


def _refusals(forged: Iterable[Delivery]) -> list[Refusal]:
    by_reason: dict[str, list[Delivery]] = {}
    for delivery in forged:
        by_reason.setdefault(str(delivery.forgery), []).append(delivery)
    return [_refusal(reason, each) for reason, each in by_reason.items()]


def _refusal(reason: str, forged: Sequence[Delivery]) -> Refusal:
    wanted = _STATUS_OF_A_FORGERY.get(reason, _UNAUTHENTIC)
    answers = [[attempt.status for attempt in delivery.attempts] for delivery in forged]
    refused = sum(statuses == [wanted] for statuses in answers)
    statuses = sorted({status or 0 for each in answers for status in each})
    return Refusal(reason, len(forged), refused, statuses)


def _differences(expected: Expected, audience: Audience) -> tuple[list[str], list[str]]:
    lost: set[str] = set()
    surplus: set[str] = set()
    for name, ids in expected.events.items():
        heard = audience.ids(name)
        if name != "ingress":
            surplus |= (heard - Counter(ids)).keys()
        lost |= ids - heard.keys()
    return sorted(lost), sorted(surplus)


def _all_accepted(genuine: Sequence[Delivery]) -> Check:
    refused = [each for each in genuine if each.state != "delivered"]
    detail = ", ".join(
        f"{each.message.event_id} ({each.scheme}): {[a.status or a.error for a in each.attempts]}"
        for each in refused
    )
    return Check("every genuine delivery was accepted", not refused, detail or str(len(genuine)))


def _all_refused(refusals: Sequence[Refusal]) -> Check:
    wrong = [each for each in refusals if each.refused != each.sent]
    detail = ", ".join(f"{each.reason}: answered {each.statuses}" for each in wrong)
    total = sum(each.sent for each in refusals)
    return Check("every hostile delivery was refused", not wrong, detail or str(total))


def _equal(name: str, wanted: int, found: int, what: str) -> Check:
    return Check(name, wanted == found, f"{found} {what} of {wanted}")


def _none(name: str, found: Iterable[str], what: str) -> Check:
    ids = sorted(found)
    return Check(name, not ids, f"{len(ids)} {what}" + "".join(f", {each}" for each in ids))


def _none_left(owed: int) -> Check:
    return Check("nothing is left to dispatch", not owed, f"{owed} messages")


def _heard(name: str, wanted: frozenset[str], audience: Audience) -> Check:
    title = "the filtered subscriber" if name == SUBSCRIBER else f"the topic {name}"
    heard = audience.ids(name)
    return Check(
        f"{title} has its events",
        heard.keys() == wanted,
        f"{len(heard.keys() & wanted)} of {len(wanted)} events",
    )


def _unaltered(genuine: Sequence[Delivery], audience: Audience) -> Check:
    sent = {each.message.event_id: each for each in genuine}
    altered = [
        event_id(message)
        for message in audience.heard["events"]
        if (delivery := sent.get(event_id(message)))
        and (message.data, message.attributes.get("ce-type"), message.attributes.get("scheme"))
        != (delivery.message.body, delivery.event_type, delivery.scheme)
    ]
    return _none("bodies, types and schemes arrived unaltered", altered, "altered")
