"""The simulation against sums by hand, and docs/scale.md against the simulation."""

from pathlib import Path

import pytest

from bench import scale
from bench.scale import DAY, Scenario, simulate, steady


def test_backoff_doubles_up_to_its_bound() -> None:
    assert [scale.backoff(attempt) for attempt in (1, 2, 3, 6, 7, 8, 99)] == [
        *(10, 20, 40, 320),
        *(600, 600, 600),
    ]


def test_without_refusals_one_attempt_is_enough() -> None:
    account = simulate(Scenario("steady", steady(3.0), duration=100))
    assert (account.arrived, account.done, account.attempts) == (300, 300, 1)
    assert account.peak_pushes == 3


def test_the_first_attempt_after_an_outage_succeeds() -> None:
    # Refused at 0, 10 and 30 s; the attempt at 70 s is the first after the end.
    once = Scenario("one", lambda now: 1.0 if now == 0 else 0.0, ((0, 60),), duration=1)
    account = simulate(once)
    assert (account.done, account.attempts, account.oldest) == (1, 4, 70)


def test_a_hundred_refusals_dead_letter_an_event() -> None:
    once = Scenario("one", lambda now: 1.0 if now == 0 else 0.0, ((0, scale.DAY),), duration=1)
    account = simulate(once)
    assert (account.done, account.dead, account.attempts) == (0, 1, scale.MAX_ATTEMPTS)


def test_capacity_bounds_the_pushes_and_loses_nothing() -> None:
    burst = Scenario("burst", scale.burst(1.0, 10, 10, 20), capacity=2.0, duration=60)
    account = simulate(burst)
    assert account.peak_pushes == 2
    assert account.done == account.arrived == 50 + 100


# Everything but attempts and ages is in proportion to the rate, so the lowest stands for all.
@pytest.mark.parametrize(
    "scenario",
    [each for each in scale.scenarios() if each.name.startswith("10/s") and each.duration < DAY],
    ids=lambda scenario: scenario.name,
)
def test_the_page_has_the_simulated_rows(scenario: Scenario) -> None:
    page = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()
    assert scale.row(scenario) in page
