"""What a million events cost at Google's list prices, hop by hop.

`python -m bench.cost` prints the tables that docs/cost.md shows. Only instance time depends on how
fast the functions are; `bench/RESULTS.md` has their rates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MILLION = 1_000_000
GIB = 2**30


@dataclass(frozen=True)
class Price:
    """A price in dollars for a number of units."""

    dollars: float
    per: float
    unit: str

    def __str__(self) -> str:
        return f"${self.dollars:,.4g} for {self.unit}"


# https://cloud.google.com/run/pricing: request-based billing, tier 1. An instance has one vCPU and
# 512 MiB, as `infra/` sizes the receiver and the dispatcher; its time is rounded up.
REQUEST = Price(0.40, MILLION, "a million")
INSTANCE_TIME = Price(24.0 + 0.5 * 2.5, MILLION, "a million s")
BILLED_SECONDS = 0.1

# https://cloud.google.com/pubsub/pricing
TRAFFIC = Price(40.0, 2**40, "a TiB")
KEPT = Price(0.27, GIB, "a GiB-month")
LEAST_BYTES = 1000
"""The least number of bytes that a publish or a push counts as."""

# https://cloud.google.com/firestore/pricing: one region, for example us-east1.
WRITE = Price(0.09, 100_000, "100,000")
READ = Price(0.03, 100_000, "100,000")
DELETE = Price(0.01, 100_000, "100,000")

# https://cloud.google.com/storage/pricing#operations-by-class: an upload is one of class A.
UPLOAD = Price(0.005, 1000, "1,000")

# https://cloud.google.com/secret-manager/pricing and https://cloud.google.com/scheduler/pricing
ACCESS = Price(0.03, 10_000, "10,000")
VERSION = Price(0.06, 1, "one")
SCHEDULE = Price(0.10, 1, "one")

MONTH_MINUTES = 30 * 24 * 60
RUN_SECONDS = 1.0
"""The registrar's instance time for a run that finds everything as it should be."""

CHECK_PLACES, CHECK_MINUTES = 6, 5
"""From how many places, and how often, `infra/` has the receiver's health read."""

LOOK_SECONDS = 0.2
"""The reconciler's instance time for a look, where its pace (5 a second) is what it waits for."""

COLLECT_SECONDS = 0.5
"""The collector's instance time for a result of a few megabytes, alone on its instance."""

RECEIVER_RATE, DISPATCHER_RATE = 1000.0, 400.0
"""Deliveries and events a second that an instance is assumed to process: see docs/scale.md."""

V1A_FACTOR = 0.4
"""The least number of `v1a` deliveries that an instance processes for each `v1` delivery."""

MESSAGE_BYTES = 700
"""A body of 200 to 300 bytes, attributes, id and publish time. Alone it counts as 1,000."""


@dataclass(frozen=True)
class Traffic:
    """How a million events arrive.

    `duplicates` are further deliveries for each event. On `busy` instances, requests overlap and
    publishes share calls; otherwise each request has an instance to itself for the shortest time
    that is billed. `subscribers` is the number of subscriptions to the events topic.
    """

    busy: bool
    duplicates: float = 0.0
    dynamic: bool = False
    subscribers: int = 1


@dataclass(frozen=True)
class Item:
    """A line of the bill for a million events; `units` are for one."""

    hop: str
    what: str
    units: float
    price: Price

    @property
    def dollars(self) -> float:
        """Return the cost of a million events."""
        return self.units * MILLION / self.price.per * self.price.dollars

    @property
    def quantity(self) -> str:
        """Return how many units a million events take."""
        return f"{self.units * MILLION:,.0f}"


def bill(traffic: Traffic) -> Iterator[Item]:
    """Yield the costs of a million events, hop by hop."""
    deliveries = 1 + traffic.duplicates
    receiver = RECEIVER_RATE * (V1A_FACTOR if traffic.dynamic else 1)
    published = MESSAGE_BYTES if traffic.busy else LEAST_BYTES
    yield Item("receiver", "requests", deliveries, REQUEST)
    yield _time("receiver", deliveries, receiver, traffic)
    yield Item("ingress topic", "bytes published", deliveries * published, TRAFFIC)
    # A week of a month, in bytes.
    kept = MESSAGE_BYTES * deliveries * 7 / 30
    yield Item("ingress topic", "byte-months kept for replay", kept, KEPT)
    yield Item("ingress topic", "bytes pushed", deliveries * LEAST_BYTES, TRAFFIC)
    yield Item("dispatcher", "requests", deliveries, REQUEST)
    yield _time("dispatcher", deliveries, DISPATCHER_RATE, traffic)
    # A refused write is counted as a write, which may be more than is billed.
    yield Item("ledger", "writes", 2 + traffic.duplicates, WRITE)
    yield Item("ledger", "reads", traffic.duplicates, READ)
    yield Item("ledger", "deletes by TTL", 1, DELETE)
    yield Item("events topic", "bytes published", published, TRAFFIC)
    yield Item("events topic", "bytes delivered", traffic.subscribers * LEAST_BYTES, TRAFFIC)


def _time(hop: str, requests: float, rate: float, traffic: Traffic) -> Item:
    seconds = 1 / rate if traffic.busy else BILLED_SECONDS
    return Item(hop, "instance seconds", requests * seconds, INSTANCE_TIME)


def total(traffic: Traffic) -> float:
    """Return what a million events cost, in dollars."""
    return sum(item.dollars for item in bill(traffic))


def arithmetic() -> Iterator[str]:
    """Yield the table of one subscriber's million events, line by line, alone and busy."""
    yield "| hop | what | price | scattered | $ | busy | $ |"
    yield "|---|---|---|---|---|---|---|"
    alone, busy = Traffic(busy=False), Traffic(busy=True)
    for one, other in zip(bill(alone), bill(busy), strict=True):
        if one.units or other.units:
            cells = (one.hop, one.what, str(one.price), one.quantity, f"{one.dollars:.2f}")
            yield f"| {' | '.join((*cells, other.quantity, f'{other.dollars:.2f}'))} |"
    yield f"| **all** | | | | **{total(alone):.2f}** | | **{total(busy):.2f}** |"


def kinds() -> Iterator[str]:
    """Yield the table of static and dynamic webhooks, with and without duplicates."""
    yield "| a million events | scattered $ | busy $ |"
    yield "|---|---|---|"
    for title, dynamic in (("static, `v1`", False), ("dynamic, `v1a`", True)):
        for share in (0.0, 0.2, 1.0):
            alone, busy = (
                total(Traffic(busy=each, duplicates=share, dynamic=dynamic))
                for each in (False, True)
            )
            named = f"{title}, {share:.0%} duplicates" if share else title
            yield f"| {named} | {alone:.2f} | {busy:.2f} |"


def followed() -> Iterator[tuple[str, Sequence[Item]]]:
    """Yield what a million jobs cost besides their events, by what is done with them."""
    passed = LEAST_BYTES
    yield (
        "started with the library, and matched by the dispatcher",
        [
            # The intent; the start; the alias; and the dispatcher's.
            Item("jobs", "writes", 4, WRITE),
            Item("jobs", "reads", 2, READ),
            Item("jobs", "deletes by TTL", 1, DELETE),
        ],
    )
    yield "each look at a job that goes on", [*_look()]
    yield (
        "an end that the reconciler announces",
        [
            *_look(),
            Item("jobs", "reads of its name", 1, READ),
            Item("ledger", "reads", 1, READ),
            Item("ingress topic", "bytes published and pushed", 2 * passed, TRAFFIC),
        ],
    )
    yield (
        "a result that is collected",
        [
            Item("collector", "requests", 1, REQUEST),
            Item("collector", "instance seconds", COLLECT_SECONDS, INSTANCE_TIME),
            Item("bucket", "uploads", 1, UPLOAD),
            Item("ingress topic", "bytes published and pushed", 2 * passed, TRAFFIC),
        ],
    )


def _look() -> Iterator[Item]:
    yield Item("reconciler", "instance seconds", LOOK_SECONDS, INSTANCE_TIME)
    yield Item("jobs", "reads", 1, READ)
    yield Item("jobs", "writes", 1, WRITE)


def monthly() -> Iterator[tuple[str, str, float, Price]]:
    """Yield what a deployment without events needs in a month."""
    runs = MONTH_MINUTES
    checks = MONTH_MINUTES / CHECK_MINUTES * CHECK_PLACES
    yield "registrar", "requests", runs, REQUEST
    yield "registrar", "instance seconds", runs * RUN_SECONDS, INSTANCE_TIME
    # The lease is taken and given back.
    yield "registrar", "ledger: writes", 2 * runs, WRITE
    yield "registrar", "ledger: reads", runs, READ
    yield "registrar", "signing secret: accesses", runs, ACCESS
    yield "registrar", "schedules", 2, SCHEDULE
    yield "receiver", "health checks", checks, REQUEST
    yield "receiver", "instance seconds", checks * BILLED_SECONDS, INSTANCE_TIME
    # Three of the signing secret, one of the API key.
    yield "secrets", "active versions", 4, VERSION


def idle() -> Iterator[str]:
    """Yield the table of a month without events, line by line."""
    yield "| hop | what | price | a month | $ |"
    yield "|---|---|---|---|---|"
    whole = 0.0
    for hop, what, number, price in monthly():
        dollars = number / price.per * price.dollars
        whole += dollars
        yield f"| {hop} | {what} | {price} | {number:,.0f} | {dollars:.2f} |"
    yield f"| **all** | | | | **{whole:.2f}** |"


def jobs() -> Iterator[str]:
    """Yield the table of a million jobs, line by line."""
    yield "| a million jobs | of these | $ |"
    yield "|---|---|---|"
    for title, items in followed():
        parts = ", ".join(f"{item.hop}: {item.what} {item.dollars:.2f}" for item in items)
        yield f"| {title} | {parts} | {sum(item.dollars for item in items):.2f} |"


if __name__ == "__main__":
    for line in (*arithmetic(), "", *kinds(), "", *jobs(), "", *idle()):
        print(line)
