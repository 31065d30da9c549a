"""All that one run of the benchmark measured."""

from dataclasses import dataclass

from bench.dispatcher import Dispatched
from bench.plan import Plan
from bench.receiver import Received


@dataclass(frozen=True)
class Results:
    """What was measured, by which plan; `go` is Go's version, or empty where it is missing."""

    plan: Plan
    go: str
    received: Received
    dispatched: Dispatched
