"""The goals, each with the figure that was measured for it."""

from collections.abc import Iterator

from bench.dispatcher import cost
from bench.figures import Goal, Ratio, ratio, tail, throughput
from bench.receiver import Received
from bench.results import Results

SIZES = (10**3, 10**4, 10**5, 10**6)
FLAT = 1.05
_AT_ONCE = "receiver at 32 connections"

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
"""Exact counts, each held by a test in `tests/relay/dispatcher/test_function.py`."""


def goals(results: Results) -> Iterator[Goal]:
    """Yield every goal that is a ratio."""
    yield from _throughput(results.received)
    yield from _rest(results.received)
    rounds = results.dispatched.rounds
    bare = ratio(rounds, "dispatcher", "bare", lambda work: work.rate)
    yield Goal("dispatcher's events/s ÷ a bare create + publish loop", 0.7, "more", bare)
    for size in SIZES[1:]:
        flat = ratio(results.dispatched.sizes, size, SIZES[0], cost)
        yield Goal(f"cost per event, {size:,} documents ÷ {SIZES[0]:,}", FLAT, "less", flat)


def _throughput(received: Received) -> Iterator[Goal]:
    busy, alone = received.busy, received.alone
    for title, bound, rounds, peer in (
        (f"{_AT_ONCE} ÷ the usual handler", 12, busy, "usual"),
        (f"{_AT_ONCE} ÷ the documentation's sample", 4, busy, "sample"),
        (f"{_AT_ONCE} ÷ the async no-op", 0.6, busy, "noop-async"),
        ("at 1 connection ÷ the usual handler", 10, alone, "usual"),
        (f"{_AT_ONCE} ÷ the usual Go handler", 1.5, busy, "go"),
        (f"{_AT_ONCE} ÷ the tuned Go handler", 0.7, busy, "go-tuned"),
    ):
        yield Goal(title, bound, "more", throughput(rounds, "receiver", peer))


def _rest(received: Received) -> Iterator[Goal]:
    slow = tail(received.busy, "receiver", "go")
    yield Goal("p99 at 32 connections ÷ the usual Go handler's", 1, "less", slow)
    kinds = throughput(received.kinds, "v1a", "v1")
    yield Goal("`v1a` deliveries ÷ `v1` deliveries", 0.7, "more", kinds)
    half = tail(received.half, "receiver", "noop-async")
    yield Goal("p99 at half of saturation ÷ the async no-op's", 3, "less", half)
    starts = ratio(received.starts, "receiver", "noop-async", float)
    yield Goal("cold start to first confirmed delivery ÷ the no-op's", 1.8, "less", starts)
    memory = ratio(received.memory, "receiver", "usual", float)
    yield Goal("resident memory ÷ the usual handler's", 1.1, "less", memory)


def beside(results: Results) -> Iterator[tuple[str, Ratio | None]]:
    """Yield figures that explain the goals, without a bound of their own."""
    busy = results.received.busy
    yield "tuned Go handler ÷ the async no-op", throughput(busy, "go-tuned", "noop-async")
    yield "usual Go handler ÷ the async no-op", throughput(busy, "go", "noop-async")
    yield "sync no-op ÷ the async no-op", throughput(busy, "noop-sync", "noop-async")
    rounds = results.dispatched.rounds
    shared = ratio(rounds, "dispatcher", "shared", lambda work: work.rate)
    yield "dispatcher's events/s ÷ a create + publish loop over its own store", shared
    twice = ratio(rounds, "dispatcher", "shared-twice", lambda work: work.rate)
    yield "dispatcher's events/s ÷ a create + publish + update loop over its own store", twice
