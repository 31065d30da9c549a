"""How long to measure, and in which order: ten minutes for the bench, one for the quick bench."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """Numbers of rounds, and the seconds of load in each; wrk takes whole seconds only.

    Rounds are many and short: disturbances by other virtual machines last for seconds, so ratios of
    measurements that are close in time vary less.

    `passage_rate` is how many deliveries a second go through both functions, `starts` are cold
    starts of each function, `sizes` the ledger's sizes in documents. `repeats` is how many
    measurements may be repeated because the host disturbed them.
    """

    rounds: int
    seconds: int
    repeats: int
    warm_seconds: int
    passage_seconds: int
    passage_rate: int
    starts: int
    dispatcher_seconds: float
    sizes: tuple[int, ...]
    size_rounds: int
    size_seconds: float

    def loaded_seconds(self, parties: int) -> float:
        """Return for how many seconds something is under load with this number of parties.

        The rest is for building, starting, and filling ledgers.
        """
        # Twice all parties, two kinds of signature, two parties at half load.
        receiver = self.rounds * self.seconds * (2 * parties + 2 + 2)
        # All parties, other signatures, two at half load, three passages, the dispatcher over HTTP.
        warming = self.warm_seconds * (parties + 1 + 2 + 2 + 1)
        passages = 3 * self.rounds * self.passage_seconds
        # The dispatcher and two loops in the process, and once over HTTP.
        dispatcher = self.rounds * (3 * self.dispatcher_seconds + self.seconds)
        sizes = self.size_rounds * len(self.sizes) * self.size_seconds
        repeats = self.repeats * self.seconds
        return receiver + warming + passages + dispatcher + sizes + repeats


FULL = Plan(
    rounds=8,
    seconds=2,
    repeats=36,
    warm_seconds=2,
    passage_seconds=3,
    passage_rate=100,
    starts=8,
    dispatcher_seconds=1.5,
    sizes=(10**3, 10**4, 10**5, 10**6),
    size_rounds=24,
    size_seconds=0.5,
)
QUICK = Plan(
    rounds=1,
    seconds=1,
    repeats=3,
    warm_seconds=1,
    passage_seconds=2,
    passage_rate=100,
    starts=1,
    dispatcher_seconds=1.0,
    sizes=(10**3, 10**5),
    size_rounds=3,
    size_seconds=0.5,
)


def alternate(turns: Sequence[T], number: int) -> Sequence[T]:
    """Return the turns of a round: reversed in every other one, so that nobody is always first."""
    return turns[::-1] if number % 2 else turns
