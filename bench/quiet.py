"""Repeats measurements during which the host of a virtual machine took its cores away."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench.progress import Say

MOST_STOLEN = 0.05
"""The largest share of the cores' time that the host may take during a measurement."""

T = TypeVar("T")

Times = tuple[float, float]
"""The cores' stolen time, and all their time, in ticks since the machine started."""


def cpu_times() -> Times:
    """Return the times of all cores; raises `OSError` where there is no `/proc/stat`.

    https://man7.org/linux/man-pages/man5/proc_stat.5.html
    """
    line = Path("/proc/stat").read_text().partition("\n")[0]
    # user, nice, system, idle, iowait, irq, softirq, steal; what follows is in user already.
    ticks = [float(each) for each in line.split()[1:9]]
    return ticks[7], sum(ticks)


def stolen(before: Times, after: Times) -> float:
    """Return the share of the cores' time that the host took in between."""
    passed = after[1] - before[1]
    return (after[0] - before[0]) / passed if passed else 0.0


@dataclass
class Quiet:
    """Repeats a measurement while the host takes too much, at most `most` times over all.

    The result of a measurement does not decide whether it is repeated. `disturbed` counts the
    results that are kept although the host took too much, because no repeats were left.
    """

    most: int
    say: Say = field(repr=False)
    times: Callable[[], Times] = field(default=cpu_times, repr=False)
    repeated: int = 0
    disturbed: int = 0

    async def measure(self, what: str, act: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `act`, from the first try that the host did not disturb."""
        while True:
            before = self.times()
            came = await act()
            share = stolen(before, self.times())
            if share <= MOST_STOLEN:
                return came
            if self.repeated == self.most:
                self.disturbed += 1
                return came
            self.repeated += 1
            self.say(f"{what}: the host took {share:.0%} of the cores; once more")
