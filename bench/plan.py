"""How long to measure: the whole bench in about ten minutes, or a quick one in about one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Rounds, and the seconds of load in each of them; wrk knows whole seconds only.

    `starts` are cold starts of each party, `sizes` the ledger's sizes in documents.
    """

    rounds: int
    seconds: int
    warm_seconds: int
    starts: int
    dispatcher_seconds: float
    sizes: tuple[int, ...]
    size_rounds: int
    size_seconds: float

    def loaded_seconds(self, parties: int) -> float:
        """Return for how many seconds something is under load, where so many take part.

        The rest is for building, starting, and filling ledgers.
        """
        # Twice all parties, two kinds of signature, two parties at half load.
        receiver = self.rounds * self.seconds * (2 * parties + 2 + 2)
        # All parties, other signatures, the two at half load, and the dispatcher over HTTP.
        warming = self.warm_seconds * (parties + 1 + 2 + 1)
        # The dispatcher and two bare loops in the process, and once over HTTP.
        dispatcher = self.rounds * (3 * self.dispatcher_seconds + self.seconds)
        sizes = self.size_rounds * len(self.sizes) * self.size_seconds
        return receiver + warming + dispatcher + sizes


FULL = Plan(
    rounds=5,
    seconds=4,
    warm_seconds=2,
    starts=5,
    dispatcher_seconds=3.0,
    sizes=(10**3, 10**4, 10**5, 10**6),
    size_rounds=12,
    size_seconds=1.0,
)
QUICK = Plan(
    rounds=1,
    seconds=1,
    warm_seconds=1,
    starts=1,
    dispatcher_seconds=1.0,
    sizes=(10**3, 10**5),
    size_rounds=3,
    size_seconds=0.5,
)
