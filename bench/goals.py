"""The goals, each with the figure that was measured for it."""

from collections.abc import Iterator

from bench.dispatcher import cost
from bench.figures import Goal, Ratio, of, ratio, tail, throughput
from bench.passages import CLAIMING, PASSING, RELAY
from bench.receiver import Received
from bench.results import Results
from bench.starts import libraries_of

SIZES = (10**3, 10**4, 10**5, 10**6)
FLAT = 1.05

COUNTED = (
    (
        "dispatcher: RPCs per new event",
        "2 writes + 1 publish per route",
        "test_an_event_costs_two_writes_and_a_publish_for_each_route",
    ),
    (
        "dispatcher: RPCs per duplicate",
        "1 refused write + 1 read",
        "test_a_duplicate_costs_one_refused_write_and_one_read",
    ),
)
"""What a test counts exactly: figure, goal, and the name of that test."""

STARTS = (("receive", 1.7), ("dispatch", 1.7), ("registrar", 3))
"""The deployed functions, and how long each may take to start, in starts of the no-op."""


def goals(results: Results) -> Iterator[Goal]:
    """Yield every goal that is a ratio."""
    yield from _throughput(results.received)
    yield from _cpu(results.received)
    for name, bound in STARTS:
        started = ratio(results.starts, name, "noop", float)
        yield Goal(f"cold start of `{name}` ÷ the no-op's", bound, "less", started)
    passages = results.passages
    middle = ratio(passages, RELAY, PASSING, lambda passage: passage.p50)
    yield Goal("delivery to event, p50 ÷ functions that pass bytes on", 1.5, "less", middle)
    slowest = ratio(passages, RELAY, PASSING, lambda passage: passage.p99)
    yield Goal("delivery to event, p99 ÷ functions that pass bytes on", 2, "less", slowest)
    bare = ratio(results.dispatched.rounds, "dispatcher", "bare", lambda work: work.rate)
    yield Goal("dispatcher's events/s ÷ a bare create + publish loop", 0.7, "more", bare)
    for size in SIZES[1:]:
        flat = ratio(results.dispatched.sizes, size, SIZES[0], cost)
        yield Goal(f"cost per event, {size:,} documents ÷ {SIZES[0]:,}", FLAT, "less", flat)


def _throughput(received: Received) -> Iterator[Goal]:
    busy, alone = received.busy, received.alone
    for title, bound, rounds, peer in (
        ("receiver ÷ the usual handler, 32 connections", 20, busy, "usual"),
        ("receiver ÷ the usual handler, 1 connection", 20, alone, "usual"),
        ("receiver ÷ the usual Go handler, 32 connections", 4.5, busy, "go"),
        ("receiver ÷ the tuned Go handler, 1 connection", 3, alone, "go-tuned"),
        ("receiver ÷ the tuned Go handler, 32 connections", 0.35, busy, "go-tuned"),
    ):
        yield Goal(title, bound, "more", throughput(rounds, "receiver", peer))
    slowest = tail(busy, "receiver", "go")
    yield Goal("receiver's p99 ÷ the usual Go handler's, 32 connections", 0.4, "less", slowest)


def _cpu(received: Received) -> Iterator[Goal]:
    noop = ratio(received.busy, "receiver", "noop", lambda load: load.cost)
    yield Goal("CPU per delivery ÷ the async no-op's", 1.8, "less", noop)
    title = "CPU per `v1a` delivery less one bare check ÷ per `v1` delivery"
    yield Goal(title, 1.1, "less", _dynamic(received))


def _dynamic(received: Received) -> Ratio | None:
    rounds = zip(received.kinds, received.checks, strict=True)
    return of([(came["v1a"].cost - check * 1e6) / came["v1"].cost for came, check in rounds])


def beside(results: Results) -> Iterator[tuple[str, Ratio | None]]:
    """Yield figures that have no goal."""
    received = results.received
    yield "p99 at half load ÷ the async no-op's", tail(received.half, "receiver", "noop")
    claiming = ratio(results.passages, CLAIMING, PASSING, lambda passage: passage.p50)
    yield (
        "delivery to event, p50 ÷ functions that pass bytes on, of those that also claim",
        claiming,
    )
    for name, _ in STARTS:
        loaded = ratio(results.starts, libraries_of(name), "noop", float)
        yield f"cold start of the no-op that loads the libraries of `{name}` ÷ the no-op's", loaded
    yield (
        "receiver ÷ the async no-op, 32 connections",
        throughput(received.busy, "receiver", "noop"),
    )
    yield "`v1a` deliveries/s ÷ `v1` deliveries/s", throughput(received.kinds, "v1a", "v1")
    memory = ratio(received.memory, "receiver", "usual", float)
    yield "receiver's resident memory ÷ the usual handler's", memory
    shared = ratio(results.dispatched.rounds, "dispatcher", "shared", lambda work: work.rate)
    yield "dispatcher's events/s ÷ a loop that makes the same calls over its store", shared
