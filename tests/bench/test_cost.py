"""The arithmetic against sums by hand, and docs/cost.md against the arithmetic."""

from pathlib import Path

import pytest

from bench import cost
from bench.cost import Traffic, bill, total


def test_an_event_costs_two_writes_and_a_delete() -> None:
    ledger = {i.what: i.dollars for i in bill(Traffic(busy=True)) if i.hop == "ledger"}
    assert ledger == pytest.approx({"writes": 1.80, "reads": 0.0, "deletes by TTL": 0.10})


def test_a_scattered_request_is_billed_a_tenth_of_a_second() -> None:
    (time,) = [
        i for i in bill(Traffic(busy=False)) if (i.hop, i.what) == ("receiver", "instance seconds")
    ]
    assert time.quantity == "100,000"
    assert time.dollars == pytest.approx(2.525)


def test_a_duplicate_costs_nothing_behind_the_ledger() -> None:
    once, twice = (
        {(i.hop, i.what): i.dollars for i in bill(Traffic(busy=True, duplicates=share))}
        for share in (0.0, 1.0)
    )
    grown = {hop for (hop, what) in once if twice[hop, what] > once[hop, what]}
    assert grown == {"receiver", "ingress topic", "dispatcher", "ledger"}


def test_another_subscriber_adds_its_deliveries() -> None:
    assert total(Traffic(busy=True, subscribers=2)) - total(Traffic(busy=True)) == pytest.approx(
        1e9 / 2**40 * 40
    )


def test_a_look_costs_a_read_a_write_and_a_fifth_of_a_second() -> None:
    looks = dict(cost.followed())["each look at a job that goes on"]
    assert sum(item.dollars for item in looks) == pytest.approx(0.3 + 0.9 + 0.2 * 25.25)


def test_a_quiet_month_counts_each_run_and_each_health_check() -> None:
    parts = {(hop, what): number for hop, what, number, _ in cost.monthly()}
    assert parts["registrar", "ledger: writes"] == 2 * 43_200
    assert parts["receiver", "health checks"] == 51_840


def test_the_page_has_the_computed_tables() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cost.md").read_text("utf-8")
    for table in (cost.arithmetic, cost.kinds, cost.jobs, cost.idle):
        assert "\n".join(table()) in page
