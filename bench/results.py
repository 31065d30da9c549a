"""All that one run of the benchmark measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.cores import Cores
from bench.dispatcher import Dispatched
from bench.passages import Passage
from bench.plan import Plan
from bench.receiver import Received


@dataclass(frozen=True)
class Results:
    """What was measured, by which plan; `go` is Go's version, or empty where it is missing.

    `starts` are in seconds. `repeated` and `disturbed` count the measurements during which the host
    took too much of the cores' time, as `Quiet` does.
    """

    plan: Plan
    cores: Cores
    go: str
    received: Received
    passages: Sequence[Mapping[str, Passage]]
    starts: Sequence[Mapping[str, float]]
    dispatched: Dispatched
    repeated: int = 0
    disturbed: int = 0
