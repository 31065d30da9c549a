"""The plans take the times that the Makefile states."""

from bench.parties import GO_PARTIES, PYTHON_PARTIES
from bench.plan import FULL, QUICK, alternate

PYTHON = len(PYTHON_PARTIES)
ALL = PYTHON + len(GO_PARTIES)


def test_the_full_bench_has_at_least_five_rounds_in_ten_minutes() -> None:
    assert FULL.rounds >= 5
    assert FULL.starts >= 5
    # The rest of the ten minutes is for building, starting, and filling ledgers.
    assert FULL.loaded_seconds(ALL) <= 500


def test_the_full_bench_has_all_sizes_of_the_ledger() -> None:
    assert FULL.sizes == (10**3, 10**4, 10**5, 10**6)


def test_the_quick_bench_is_under_load_for_less_than_a_minute() -> None:
    assert QUICK.loaded_seconds(ALL) <= 45


def test_fewer_parties_take_less_time() -> None:
    assert FULL.loaded_seconds(PYTHON) < FULL.loaded_seconds(ALL)


def test_every_other_round_is_reversed() -> None:
    rounds = [list(alternate("abc", number)) for number in range(3)]
    assert rounds == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]
