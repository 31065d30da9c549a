"""From rounds to figures: ratios within a round, their median and spread, and the goals."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from bench.load import Load

Rounds = Sequence[Mapping[str, Load]]
"""For each round, the load of each party. Within a round the machine is the same for all."""

Name = TypeVar("Name")
Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Ratio:
    """A ratio's median over the rounds, and its extremes."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Goal:
    """A figure with the bound that it should keep."""

    figure: str
    bound: float
    better: Literal["more", "less"]
    ratio: Ratio | None

    @property
    def verdict(self) -> str:
        """Return `reached`, `missed` or `not measured`."""
        if self.ratio is None:
            return "not measured"
        if self.better == "more":
            return "reached" if self.ratio.median >= self.bound else "missed"
        return "reached" if self.ratio.median <= self.bound else "missed"

    @property
    def wanted(self) -> str:
        """Return the bound as it is written, for example `≥ 12`."""
        return f"{'≥' if self.better == 'more' else '≤'} {self.bound:g}"


def of(values: Sequence[float]) -> Ratio | None:
    """Summarise ratios; None for an empty list."""
    return Ratio(statistics.median(values), min(values), max(values)) if values else None


def ratio(
    rounds: Sequence[Mapping[Name, Measured]],
    ours: Name,
    theirs: Name,
    quantity: Callable[[Measured], float],
) -> Ratio | None:
    """Return a quantity of `ours` over that of `theirs`, from the rounds that had both."""
    return of(
        [quantity(r[ours]) / quantity(r[theirs]) for r in rounds if ours in r and theirs in r]
    )


def throughput(rounds: Rounds, ours: str, theirs: str) -> Ratio | None:
    """Return answers a second of `ours` over those of `theirs`."""
    return ratio(rounds, ours, theirs, lambda load: load.rate)


def tail(rounds: Rounds, ours: str, theirs: str) -> Ratio | None:
    """Return the 99th percentile of latency of `ours` over that of `theirs`."""
    return ratio(rounds, ours, theirs, lambda load: load.p99)
