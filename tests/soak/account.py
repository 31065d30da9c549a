"""The account: what was sent, held against what every topic and the ledger have."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.soak.memory import Sample, growth, longest_life
from tests.soak.plan import STATUSES, Event

ENOUGH_SAMPLES = 40
BOUND_MEBIBYTES = 16.0
"""How much a function may grow in the later part of its life."""

_DESIGNED = {"200", "400", "401", "413", "503", "none"}


@dataclass
class Sent:
    """What Gemini reports: answers by status (`none` where there was none), `hostile` by kind."""

    deliveries: int = 0
    repeated: int = 0
    unsettled: int = 0
    genuine: Counter[str] = field(default_factory=Counter)
    hostile: dict[str, Counter[str]] = field(default_factory=dict)
    rotations: Counter[str] = field(default_factory=Counter)


@dataclass
class Found:
    """What there is at the end: copies by topic and event id, and the ledger's documents.

    `ledger` maps an event id to its state and the routes done. `altered` are the ids under which a
    body lay that is not that event's.
    """

    copies: Mapping[str, Counter[str]]
    altered: Sequence[str]
    ledger: Mapping[str, tuple[str, frozenset[str]]]
    backlog: int
    tracebacks: Sequence[str]


@dataclass
class Struck:
    """What was done, which calls were struck, and how the graceful stops went.

    A stop is a function's name, its exit status and the seconds it took.
    """

    actions: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    stops: list[tuple[str, int | None, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Check:
    """One thing that must hold; `detail` says how it does, or does not."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """The facts of a run; counts, but for `checks`, `lost` and `seconds`."""

    deliveries: int
    events: int
    repeated: int
    hostile: int
    accepted: int
    refused: Mapping[str, Mapping[str, int]]
    put_off: Mapping[str, int]
    stored: int
    fanned_out: Mapping[str, int]
    duplicates_dropped: int
    extra_copies: int
    lost: Sequence[str]
    upheaval: Mapping[str, int]
    calls_struck: Mapping[str, int]
    rotations: Mapping[str, int]
    memory: Mapping[str, Mapping[str, float]]
    seconds: float
    checks: Sequence[Check]

    @property
    def holds(self) -> bool:
        """Whether every check does."""
        return all(check.holds for check in self.checks)

    def facts(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {**asdict(self), "lost": list(self.lost), "holds": self.holds}


def draw_up(
    events: Sequence[Event],
    sent: Sent,
    found: Found,
    struck: Struck,
    samples: Sequence[Sample],
    seconds: float,
) -> Account:
    """Hold all of it against each other."""
    ingress = found.copies["ingress"]
    routes = {name: ids for name, ids in found.copies.items() if name not in _OTHERS}
    wanted = {
        name: {event.id for event in events if name == "ingress" or name in event.routes}
        for name in ("ingress", *routes)
    }
    lost = sorted(
        {each for name, ids in wanted.items() for each in ids - found.copies[name].keys()}
    )
    stored = ingress.total()
    memory = _memory(samples)
    return Account(
        deliveries=sent.deliveries,
        events=len(events),
        repeated=sent.repeated,
        hostile=sent.deliveries - len(events) - sent.repeated,
        accepted=sent.genuine["200"],
        refused={kind: dict(answers) for kind, answers in sorted(sent.hostile.items())},
        put_off={status: n for status, n in sorted(sent.genuine.items()) if status != "200"},
        stored=stored,
        fanned_out={name: len(ids) for name, ids in routes.items()},
        duplicates_dropped=stored - len(ingress),
        extra_copies=sum(ids.total() - len(ids) for ids in routes.values()),
        lost=lost,
        upheaval=dict(struck.actions),
        calls_struck=dict(struck.calls),
        rotations=dict(sent.rotations),
        memory=memory,
        seconds=round(seconds, 1),
        checks=[
            _accepted(events, sent),
            _refused(sent, sent.deliveries - len(events) - sent.repeated),
            _designed(sent),
            _durable(sent, stored),
            _nothing("no event is lost", lost),
            _nothing(
                "nothing came that was not sent, or where it does not belong",
                sorted(
                    each for name, ids in wanted.items() for each in found.copies[name].keys() - ids
                ),
            ),
            _nothing("every copy has its event's own id and body", found.altered),
            _ledger(events, found.ledger),
            _nothing("no dead letters", sorted(found.copies["dead-letter"])),
            Check("nothing is owed", not found.backlog, f"{found.backlog} messages in the backlog"),
            _stops(struck),
            _nothing("no function wrote a traceback", found.tracebacks),
            *_bounded(memory),
        ],
    )


_OTHERS = {"ingress", "dead-letter"}


def _put_off(answers: Counter[str]) -> int:
    return answers["503"] + answers["none"]


def _accepted(events: Sequence[Event], sent: Sent) -> Check:
    wanted = len(events) + sent.repeated
    accepted = sent.genuine["200"]
    holds = accepted == wanted and not sent.unsettled
    return Check("every genuine delivery was accepted", holds, f"{accepted} of {wanted}")


def _refused(sent: Sent, hostile: int) -> Check:
    wrong = {
        f"{kind}: {status}"
        for kind, answers in sent.hostile.items()
        for status in answers
        if status not in {"503", "none", *map(str, STATUSES[kind])}  # type: ignore[index]
    }
    total = sum(answers.total() - _put_off(answers) for answers in sent.hostile.values())
    detail = ", ".join([f"{total} of {hostile}", *sorted(wrong)])
    holds = total == hostile and not wrong
    return Check("every hostile delivery was refused as it must be", holds, detail)


def _designed(sent: Sent) -> Check:
    answers = sum(sent.hostile.values(), sent.genuine)
    odd = answers.keys() - _DESIGNED
    return Check("no answer but the designed ones", not odd, ", ".join(sorted(answers)))


def _durable(sent: Sent, stored: int) -> Check:
    accepted = sent.genuine["200"]
    detail = f"{accepted} acknowledged, {stored} stored"
    return Check("whatever was acknowledged was stored", accepted <= stored, detail)


def _nothing(name: str, found: Iterable[str]) -> Check:
    entries = list(found)
    return Check(name, not entries, ", ".join([str(len(entries)), *entries[:5]]))


def _ledger(events: Sequence[Event], ledger: Mapping[str, tuple[str, frozenset[str]]]) -> Check:
    wanted = {event.id: ("done", event.routes) for event in events}
    wrong = [each for each in wanted.keys() | ledger.keys() if ledger.get(each) != wanted.get(each)]
    detail = ", ".join([f"{len(ledger)} documents, {len(wrong)} wrong", *sorted(wrong)[:5]])
    return Check("the ledger says done, with the routes, for every event", not wrong, detail)


def _stops(struck: Struck) -> Check:
    failed = [f"{name}: {status}" for name, status, _ in struck.stops if status != 0]
    slowest = max((seconds for _, _, seconds in struck.stops), default=0.0)
    detail = ", ".join(failed) or f"{len(struck.stops)} stops, the slowest took {slowest:.1f} s"
    return Check("every graceful stop ended by itself within ten seconds", not failed, detail)


def _memory(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    figures = {}
    for name in sorted({each.function for each in samples}):
        own = [each for each in samples if each.function == name]
        life = longest_life(own)
        figures[name] = {
            "largest": max(each.mebibytes for each in own),
            "longest_life_seconds": life[-1].at - life[0].at,
        }
        if len(life) >= ENOUGH_SAMPLES:
            figures[name]["growth"] = growth(life)
    return figures


def _bounded(memory: Mapping[str, Mapping[str, float]]) -> list[Check]:
    return [
        Check(
            f"the memory of {name} stays bounded",
            figures["growth"] <= BOUND_MEBIBYTES,
            f"{figures['growth']:+.1f} MiB in the later part of its longest life,"
            f" {figures['longest_life_seconds']:.0f} s; {figures['largest']:.0f} MiB at most",
        )
        for name, figures in memory.items()
        if "growth" in figures
    ]
