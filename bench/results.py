"""All that one run of the benchmark measured."""

from dataclasses import dataclass

from bench.dispatcher import Dispatched
from bench.plan import Plan
from bench.receiver import Received


@dataclass(frozen=True)
class Results:
    """What was measured, by which plan; `go` is Go's version, or empty where it is missing.

    `repeated` and `disturbed` count what the host took too many of the cores from, as `Quiet` does.
    """

    plan: Plan
    go: str
    received: Received
    dispatched: Dispatched
    repeated: int = 0
    disturbed: int = 0
