"""Every check of the account fails where it must: an account that cannot fail shows nothing."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak import report
from tests.soak.account import (
    BOUND_MEBIBYTES,
    ENOUGH_SAMPLES,
    Account,
    Found,
    Sent,
    Struck,
    draw_up,
)
from tests.soak.memory import Sample, growth, longest_life, resident
from tests.soak.plan import Event


@dataclasses.dataclass
class Facts:
    events: list[Event]
    sent: Sent
    found: Found
    struck: Struck
    samples: list[Sample]

    def account(self) -> Account:
        return draw_up(self.events, self.sent, self.found, self.struck, self.samples, 2.0)


def life(function: str, *mebibytes: float, leader: int = 1) -> list[Sample]:
    return [Sample(function, leader, float(at), size) for at, size in enumerate(mebibytes)]


@pytest.fixture
def facts() -> Facts:
    everywhere, blue = frozenset({"events"}), frozenset({"events", "blue"})
    events = [
        Event("one", "batch.succeeded", "v1", b"1", blue),
        Event("two", "video.generated", "jwt", b"2", everywhere),
    ]
    sent = Sent(
        deliveries=4,
        repeated=1,
        genuine=Counter({"200": 3, "503": 1, "401": 2}),
        hostile={"wrong-key": Counter({"401": 1, "none": 1})},
        rotations=Counter({"rsa keep": 1}),
    )
    copies = {
        "ingress": Counter({"one": 3, "two": 1}),
        "events": Counter({"one": 2, "two": 1}),
        "blue": Counter({"one": 1}),
        "dead-letter": Counter[str](),
    }
    ledger = {"one": ("done", blue), "two": ("done", everywhere)}
    struck = Struck(stops=[("receive-2", 0, 1.5)])
    samples = life("receive-1", *[60.0] * ENOUGH_SAMPLES)
    return Facts(events, sent, Found(copies, [], ledger, 0, []), struck, samples)


def test_an_account_without_errors_holds(facts: Facts) -> None:
    account = facts.account()
    assert account.holds, report.text(account)
    assert account.deliveries == 4
    assert (account.events, account.repeated, account.hostile) == (2, 1, 1)
    assert account.accepted == 3
    assert account.put_off == {"401": 2, "503": 1}
    assert account.stored == 4
    assert account.duplicates_dropped == 2
    assert account.fanned_out == {"events": 2, "blue": 1}
    assert account.extra_copies == 1
    assert account.lost == []
    assert account.memory["receive-1"]["growth"] == 0.0
    assert account.facts()["holds"] is True


def copies(topic: str, **counts: int) -> Callable[[Facts], None]:
    def change(facts: Facts) -> None:
        facts.found.copies[topic].update(counts)
        facts.found.copies[topic] += Counter()

    return change


def hostile(status: str) -> Callable[[Facts], None]:
    return lambda facts: facts.sent.hostile["wrong-key"].update([status])


def ledger(identifier: str, state: str, *routes: str) -> Callable[[Facts], None]:
    def change(facts: Facts) -> None:
        facts.found.ledger = {**facts.found.ledger, identifier: (state, frozenset(routes))}

    return change


CHANGES: dict[str, tuple[str, Callable[[Facts], None]]] = {
    "not accepted": (
        "every genuine delivery was accepted",
        lambda facts: facts.sent.genuine.update({"200": -1}),
    ),
    "unsettled": (
        "every genuine delivery was accepted",
        lambda facts: setattr(facts.sent, "unsettled", 1),
    ),
    "hostile accepted": ("every hostile delivery was refused as it must be", hostile("200")),
    "hostile refused otherwise": (
        "every hostile delivery was refused as it must be",
        hostile("413"),
    ),
    "hostile unsettled": (
        "every hostile delivery was refused as it must be",
        lambda facts: setattr(facts.sent, "deliveries", 5),
    ),
    "an error": (
        "no answer but the designed ones",
        lambda facts: facts.sent.genuine.update({"500": 1}),
    ),
    "acknowledged, not stored": (
        "whatever was acknowledged was stored",
        copies("ingress", one=-2),
    ),
    "not stored": ("no event is lost", copies("ingress", two=-1)),
    "not fanned out": ("no event is lost", copies("events", two=-1)),
    "not routed": ("no event is lost", copies("blue", one=-1)),
    "hostile stored": (
        "nothing came that was not sent, or where it does not belong",
        copies("ingress", hostile=1),
    ),
    "routed astray": (
        "nothing came that was not sent, or where it does not belong",
        copies("blue", two=1),
    ),
    "altered": (
        "every copy has its event's own id and body",
        lambda facts: setattr(facts.found, "altered", ["one"]),
    ),
    "still claimed": (
        "the ledger says done, with the routes, for every event",
        ledger("two", "claimed", "events"),
    ),
    "a route not recorded": (
        "the ledger says done, with the routes, for every event",
        ledger("one", "done", "events"),
    ),
    "a foreign document": (
        "the ledger says done, with the routes, for every event",
        ledger("hostile", "done", "events"),
    ),
    "a dead letter": ("no dead letters", copies("dead-letter", two=1)),
    "a backlog": ("nothing is owed", lambda facts: setattr(facts.found, "backlog", 1)),
    "a stop that had to be ended": (
        "every graceful stop ended by itself within ten seconds",
        lambda facts: facts.struck.stops.append(("dispatch-2", 137, 10.0)),
    ),
    "a traceback": (
        "no function wrote a traceback",
        lambda facts: setattr(facts.found, "tracebacks", ["receive-1: ValueError"]),
    ),
    "growth": (
        "the memory of receive-1 stays bounded",
        lambda facts: setattr(
            facts,
            "samples",
            life("receive-1", *(60 + number * BOUND_MEBIBYTES / 15 for number in range(60))),
        ),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_account_with_an_error_does_not_hold(facts: Facts, change: str) -> None:
    name, spoil = CHANGES[change]
    spoil(facts)
    account = facts.account()
    assert name in {check.name for check in account.checks if not check.holds}
    assert not account.holds
    assert report.verdict(account).startswith("FAILS")


def test_lost_events_are_named(facts: Facts) -> None:
    copies("events", two=-1)(facts)
    assert facts.account().lost == ["two"]


def test_a_short_life_is_not_judged(facts: Facts) -> None:
    facts.samples = life("receive-1", *range(ENOUGH_SAMPLES - 1))
    assert "growth" not in facts.account().memory["receive-1"]


def test_growth_leaves_out_the_first_quarter() -> None:
    assert growth(life("f", *[10.0] * 10, *[50.0] * 20, *[53.0] * 10)) == 3.0


def test_growth_is_that_of_the_longest_life() -> None:
    samples = [*life("f", 1, 2, leader=1), *life("f", 3, 4, 5, leader=2), *life("f", 6, leader=3)]
    assert [each.mebibytes for each in longest_life(samples)] == [3, 4, 5]


def test_a_process_that_is_gone_has_no_memory() -> None:
    assert resident(2**22 + 1) is None


def test_text_and_page_hold_every_figure(facts: Facts, tmp_path: Path) -> None:
    account = facts.account()
    text = report.text(account)
    page = report.page(account, "python -m tests.soak", "2 cores")
    for check in account.checks:
        assert check.name in text
        assert check.name in page
    assert "HOLDS: 4 sent, 3 accepted, 1 hostile refused" in page
    assert "wrong-key" in text

    picture = tmp_path / "memory.svg"
    report.draw(facts.samples, picture)
    assert "<svg" in picture.read_text(encoding="utf-8")
    assert "receive-1" in picture.read_text(encoding="utf-8")
