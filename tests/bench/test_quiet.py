"""Disturbed measurements are repeated, up to a limit."""

from collections.abc import Sequence
from itertools import count

from bench.quiet import Quiet, Times, cpu_times, stolen


def machine(shares: Sequence[float]) -> Quiet:
    """A machine whose host takes these shares of the time of successive measurements."""
    times: list[Times] = []
    for number, share in enumerate(shares):
        times += [
            (100.0 * number, 1000.0 * number),
            (100.0 * number + share * 500, 1000 * number + 500),
        ]
    return Quiet(2, lambda _: None, iter(times).__next__)


async def measured(quiet: Quiet) -> int:
    numbers = count()

    async def act() -> int:
        return next(numbers)

    return await quiet.measure("it", act)


async def test_an_undisturbed_measurement_is_kept() -> None:
    quiet = machine([0.05])
    assert await measured(quiet) == 0
    assert (quiet.repeated, quiet.disturbed) == (0, 0)


async def test_a_disturbed_measurement_is_repeated() -> None:
    quiet = machine([0.2, 0.06, 0.0])
    assert await measured(quiet) == 2
    assert (quiet.repeated, quiet.disturbed) == (2, 0)


async def test_repeats_are_limited() -> None:
    quiet = machine([0.2, 0.2, 0.2, 0.2])
    assert await measured(quiet) == 2
    assert await measured(quiet) == 0
    assert (quiet.repeated, quiet.disturbed) == (2, 2)


def test_cpu_times_only_grow() -> None:
    before = cpu_times()
    sum(range(100_000))
    after = cpu_times()
    assert 0 <= before[0] <= after[0]
    assert 0 < before[1] <= after[1]
    assert 0.0 <= stolen(before, after) <= 1.0


def test_no_time_means_no_share() -> None:
    assert stolen((1.0, 5.0), (1.0, 5.0)) == 0.0
