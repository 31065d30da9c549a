"""One core for the party, the others for the load."""

import os
import sys

import pytest

from bench.children import child
from bench.cores import Cores, divide, on

SHOW = "import os; print(*sorted(os.sched_getaffinity(0)), flush=True); input()"


@pytest.mark.parametrize(
    ("available", "party", "load"),
    [({0, 1}, {1}, {0}), ({2, 5, 7}, {7}, {2, 5}), ({4}, {4}, {4})],
)
def test_the_party_gets_the_last_core(available: set[int], party: set[int], load: set[int]) -> None:
    assert divide(available) == Cores(frozenset(party), frozenset(load))


def test_a_machine_with_one_core_says_that_it_has_no_other() -> None:
    assert divide({0, 1}).apart
    assert not divide({3}).apart
    assert str(divide({3})) == "core 3 for the party and the load: there is no other"
    assert str(divide({0, 1})) == "core 1 for the party, 0 for the load"


async def test_a_child_stays_on_the_cores_it_is_given() -> None:
    here = os.sched_getaffinity(0)
    async with child(sys.executable, "-c", SHOW, cores={max(here)}) as running:
        assert running.greeting == str(max(here))
    assert os.sched_getaffinity(0) == here


def test_leaving_a_core_restores_the_cores_before() -> None:
    here = os.sched_getaffinity(0)
    with on({min(here)}):
        assert os.sched_getaffinity(0) == {min(here)}
    assert os.sched_getaffinity(0) == here
