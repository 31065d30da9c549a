"""From rounds to figures: ratios within a round, their median and spread, and the goals."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.load import Load

Rounds = Sequence[Mapping[str, Load]]
"""For each round, what each party came to. Within a round all met the same machine."""


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
        """Say whether it was reached, or that it was not measured."""
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
    """Summarise ratios; None where there is none."""
    return Ratio(statistics.median(values), min(values), max(values)) if values else None


def throughput(rounds: Rounds, ours: str, theirs: str) -> Ratio | None:
    """Return answers a second of `ours` over those of `theirs`."""
    return of([r[ours].rate / r[theirs].rate for r in rounds if ours in r and theirs in r])


def tail(rounds: Rounds, ours: str, theirs: str) -> Ratio | None:
    """Return the 99th percentile of latency of `ours` over that of `theirs`."""
    return of([r[ours].p99 / r[theirs].p99 for r in rounds if ours in r and theirs in r])
