"""Ratios within a round, their spread, and the verdicts on goals."""

import pytest

from bench import figures
from bench.figures import Goal, Ratio
from bench.load import Load


def load(requests: int = 100, *, refused: int = 0, p99: float = 1000.0) -> Load:
    return Load(requests, 1.0, refused, 0, 500.0, p99, 2000.0)


def test_a_ratio_is_taken_within_its_round() -> None:
    # The machine was twice as fast in the second round, which changes no ratio.
    rounds = [{"a": load(300), "b": load(100)}, {"a": load(600), "b": load(200)}]
    assert figures.throughput(rounds, "a", "b") == Ratio(3, 3, 3)


def test_a_ratio_is_a_median_with_its_extremes() -> None:
    rounds = [{"a": load(n), "b": load(100)} for n in (900, 100, 200)]
    ratio = figures.throughput(rounds, "a", "b")
    assert ratio == Ratio(2, 1, 9)
    assert str(ratio) == "2.00 (1.00 to 9.00)"


def test_refused_requests_do_not_count_as_throughput() -> None:
    rounds = [{"a": load(100, refused=50), "b": load(100)}]
    assert figures.throughput(rounds, "a", "b") == Ratio(0.5, 0.5, 0.5)


def test_tails_are_99th_percentiles() -> None:
    rounds = [{"a": load(p99=3000), "b": load(p99=2000)}]
    assert figures.tail(rounds, "a", "b") == Ratio(1.5, 1.5, 1.5)


def test_a_missing_party_has_no_ratio() -> None:
    assert figures.throughput([{"a": load()}], "a", "go") is None
    assert figures.of([]) is None


@pytest.mark.parametrize(
    ("bound", "better", "median", "verdict"),
    [
        (2, "more", 2.0, "reached"),
        (2, "more", 1.9, "missed"),
        (2, "less", 2.0, "reached"),
        (2, "less", 2.1, "missed"),
    ],
)
def test_the_median_decides(bound: float, better: str, median: float, verdict: str) -> None:
    goal = Goal("figure", bound, "more" if better == "more" else "less", Ratio(median, 0, 99))
    assert goal.verdict == verdict


def test_a_goal_without_a_ratio_is_not_measured() -> None:
    assert Goal("figure", 2, "more", None).verdict == "not measured"


def test_a_bound_is_written_with_its_sign() -> None:
    assert Goal("figure", 12.0, "more", None).wanted == "≥ 12"
    assert Goal("figure", 1.1, "less", None).wanted == "≤ 1.1"
