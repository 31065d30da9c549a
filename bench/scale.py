"""A discrete simulation of bursts, outages and backoff.

Time advances in steps of one second. Messages that arrived in the same second and have had the same
number of attempts are one cohort. The parameters are Pub/Sub's retry policy and the capacity of the
dispatcher's instances; nothing is random, so a run can be checked by hand.

`python -m bench.scale` prints the table that docs/scale.md shows.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

MIN_BACKOFF, MAX_BACKOFF, MAX_ATTEMPTS = 10.0, 600.0, 100
"""The ingress subscription's retry policy and dead-letter bound, as `infra/` sets them."""

DAY = 86_400


@dataclass(frozen=True)
class Scenario:
    """Arrivals and failures; times in seconds from the start, rates in events a second."""

    name: str
    rate: Callable[[int], float]
    outages: tuple[tuple[int, int], ...] = ()
    capacity: float = float("inf")
    duration: int = 2 * 3600

    def down(self, now: int) -> bool:
        """Tell whether the dispatcher refuses everything at this time."""
        return any(begin <= now < end for begin, end in self.outages)


@dataclass
class Account:
    """The result of a scenario. Sizes are in events, times in seconds."""

    arrived: float = 0.0
    done: float = 0.0
    dead: float = 0.0
    peak_pushes: float = 0.0
    peak_backlog: float = 0.0
    oldest: float = 0.0
    attempts: int = 0
    drained_at: int = 0


@dataclass(order=True)
class _Cohort:
    due: float
    arrived: int = field(compare=False)
    size: float = field(compare=False)
    attempts: int = field(compare=False)


def backoff(attempt: int) -> float:
    """Return the seconds that Pub/Sub waits after the given failed attempt, counted from 1."""
    return min(MAX_BACKOFF, MIN_BACKOFF * (1 << min(attempt - 1, 20)))


def simulate(scenario: Scenario) -> Account:
    """Run a scenario until each event is processed or dead-lettered."""
    account = Account()
    queue: list[_Cohort] = []
    backlog = 0.0
    now = 0
    while now < scenario.duration or queue:
        if now < scenario.duration and (arriving := scenario.rate(now)):
            heapq.heappush(queue, _Cohort(now, now, arriving, 0))
            account.arrived += arriving
            backlog += arriving
        account.peak_backlog = max(account.peak_backlog, backlog)
        backlog -= _second(scenario, account, queue, now)
        now += 1
        if now >= scenario.duration and queue:
            now = max(now, int(queue[0].due))
    account.drained_at = now
    return account


def _second(scenario: Scenario, account: Account, queue: list[_Cohort], now: int) -> float:
    """Push what is due in this second; return how many events were finished."""
    room, pushed, ended = scenario.capacity, 0.0, 0.0
    later: list[_Cohort] = []
    while queue and queue[0].due <= now and room > 0:
        cohort = heapq.heappop(queue)
        taken = min(cohort.size, room)
        room -= taken
        pushed += taken
        if taken < cohort.size:
            later.append(_Cohort(now + 1, cohort.arrived, cohort.size - taken, cohort.attempts))
        ended += _attempt(scenario, account, later, cohort, taken, now)
    for cohort in later:
        heapq.heappush(queue, cohort)
    account.peak_pushes = max(account.peak_pushes, pushed)
    return ended


def _attempt(
    scenario: Scenario,
    account: Account,
    later: list[_Cohort],
    cohort: _Cohort,
    size: float,
    now: int,
) -> float:
    attempts = cohort.attempts + 1
    account.attempts = max(account.attempts, attempts)
    if not scenario.down(now):
        account.done += size
        account.oldest = max(account.oldest, now - cohort.arrived)
        return size
    if attempts >= MAX_ATTEMPTS:
        account.dead += size
        return size
    later.append(_Cohort(now + backoff(attempts), cohort.arrived, size, attempts))
    return 0.0


def steady(rate: float) -> Callable[[int], float]:
    """Return a constant rate of arrivals."""
    return lambda _now: rate


def burst(rate: float, factor: float, begin: int, end: int) -> Callable[[int], float]:
    """Return a rate that is `factor` times as high between `begin` and `end`."""
    return lambda now: rate * (factor if begin <= now < end else 1.0)


def scenarios() -> Iterator[Scenario]:
    """Yield what docs/scale.md discusses."""
    hour = 3600
    for rate in (10.0, 1_000.0, 100_000.0):
        title = f"{rate:,.0f}/s"
        yield Scenario(f"{title}, steady", steady(rate), capacity=2 * rate)
        yield Scenario(
            f"{title}, ten times as many for five minutes",
            burst(rate, 10, 600, 900),
            capacity=2 * rate,
        )
        outage = ((600, 600 + hour),)
        yield Scenario(f"{title}, an hour's outage", steady(rate), outage, 4 * rate)
    yield Scenario(
        "10/s, an outage of sixteen hours", steady(10.0), ((600, 600 + 16 * hour),), duration=DAY
    )


def row(scenario: Scenario) -> str:
    """Simulate a scenario and return its row of the table."""
    account = simulate(scenario)
    return (
        f"| {scenario.name} | {account.peak_pushes:,.0f} | {account.peak_backlog:,.0f} "
        f"| {account.oldest:,.0f} s | {account.attempts} | {account.dead:,.0f} |"
    )


def main() -> None:
    """Print the table."""
    print("| scenario | peak pushes/s | largest backlog | oldest when done | attempts | dead |")
    print("|---|---|---|---|---|---|")
    for scenario in scenarios():
        print(row(scenario))


if __name__ == "__main__":
    main()
