"""From a delivery to the message on the events topic, through both functions."""

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import httpx2

from bench import load, parties
from bench.cloud import NAMES, cloud
from bench.cores import Cores
from bench.identity import Signer, identity
from bench.load import Delivery
from bench.parties import Running
from bench.plan import Plan, alternate
from bench.progress import Say
from bench.quiet import Quiet
from localcloud.core.rpc import Call
from localcloud.laptop.provision import provision
from localcloud.runner.process import FUNCTIONS

RELAY, PASSING, CLAIMING = "both functions", "passing on", "passing on, with a claim"
"""The relay's functions, those that only pass bytes on, and those that also create a document."""

_PATIENCE = 10.0
"""Seconds after the last delivery in which its event must have arrived."""

_FIRST_BYTE = "http11.send_request_headers.started"
"""What httpx2 calls the moment: https://www.encode.io/httpcore/extensions/#trace."""


@dataclass(frozen=True)
class Passage:
    """How long events took from their delivery's first byte, in microseconds."""

    events: int
    p50: float
    p99: float


@dataclass
class Arrivals:
    """Sees the calls of Pub/Sub, and takes the time when an event is published."""

    waiting: set[str] = field(default_factory=set)
    at: dict[str, float] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def expect(self, identifiers: Iterable[str]) -> None:
        """Wait for these events, and forget those before."""
        self.waiting = set(identifiers)
        self.at.clear()
        self.complete.clear()

    async def __call__(self, call: Call) -> None:
        """Take note of the events that a call brings."""
        now = time.perf_counter()
        if (
            not call.method.endswith("/Publish")
            or getattr(call.request, "topic", "") != NAMES.events
        ):
            return
        for message in getattr(call.request, "messages", ()):
            identifier = message.attributes.get("ce-id") or message.attributes["webhook-id"]
            # An event that is published twice has arrived the first time.
            if identifier in self.waiting:
                self.waiting.discard(identifier)
                self.at[identifier] = now
        if not self.waiting:
            self.complete.set()


@dataclass(frozen=True)
class Way:
    """Two functions in a row, with the Pub/Sub at `pubsub` between and behind them."""

    pubsub: str
    receive: Running
    dispatch: Running
    signer: Signer
    arrivals: Arrivals

    async def take(self, rate: int, seconds: int, seed: int) -> Passage:
        """Send fresh deliveries at random times, so many a second on average."""
        fresh = list(islice(load.deliveries(self.signer.static), rate * seconds))
        self.arrivals.expect(delivery.id for delivery in fresh)
        gc.collect()
        gc.disable()
        try:
            async with (
                provision(NAMES, self.pubsub, endpoint=self.dispatch.url),
                httpx2.AsyncClient(trust_env=False) as client,
            ):
                sent = await self._send(client, fresh, rate, random.Random(seed))  # noqa: S311
                await asyncio.wait_for(self.arrivals.complete.wait(), _PATIENCE)
        finally:
            gc.enable()
        return summarise([self.arrivals.at[each] - begun for each, begun in sent.items()])

    async def _send(
        self,
        client: httpx2.AsyncClient,
        fresh: Iterable[Delivery],
        rate: int,
        chance: random.Random,
    ) -> Mapping[str, float]:
        sent: dict[str, float] = {}

        async def send(delivery: Delivery) -> None:
            async def trace(event: str, _info: object) -> None:
                # Not before: what the client does to prepare a request is nobody's latency.
                if event == _FIRST_BYTE:
                    sent[delivery.id] = time.perf_counter()

            reply = await client.post(
                self.receive.url,
                content=delivery.body,
                headers=delivery.headers,
                extensions={"trace": trace},
            )
            reply.raise_for_status()

        async with asyncio.TaskGroup() as group:
            for delivery in fresh:
                group.create_task(send(delivery))
                await asyncio.sleep(chance.expovariate(rate))
        return sent


async def measure(
    plan: Plan, quiet: Quiet, cores: Cores, say: Say
) -> Sequence[Mapping[str, Passage]]:
    """Measure every way, in alternating rounds."""
    arrivals = Arrivals()
    async with AsyncExitStack() as stack:
        signer, keys = stack.enter_context(identity())
        environ = keys | await stack.enter_async_context(cloud(arrivals))
        ways = {}
        passing, claim = parties.PEERS / "passing.py", {"CLAIM": "1"}
        for name, source, more in (
            (RELAY, FUNCTIONS, {}),
            (PASSING, passing, {}),
            (CLAIMING, passing, claim),
        ):
            receive, dispatch = [
                await stack.enter_async_context(
                    parties.function(target, environ | more, cores, source=source)
                )
                for target in ("receive", "dispatch")
            ]
            pubsub = environ["PUBSUB_EMULATOR_HOST"]
            ways[name] = Way(pubsub, receive, dispatch, signer, arrivals)
        for way in ways.values():
            await way.take(plan.passage_rate, plan.warm_seconds, 0)
        return [await _round(plan, quiet, ways, number, say) for number in range(plan.rounds)]


async def _round(
    plan: Plan, quiet: Quiet, ways: Mapping[str, Way], number: int, say: Say
) -> Mapping[str, Passage]:
    came = {}
    for name in alternate(list(ways), number):
        take = partial(ways[name].take, plan.passage_rate, plan.passage_seconds, number + 1)
        came[name] = await quiet.measure(name, take)
    told = ", ".join(
        f"{name} p50 {each.p50 / 1000:.1f} ms, p99 {each.p99 / 1000:.1f} ms"
        for name, each in came.items()
    )
    say(f"delivery to event, round {number + 1}: {told}")
    # In the order of the tables again, whoever came first this time.
    return {name: came[name] for name in ways}


def summarise(seconds: Sequence[float]) -> Passage:
    """Return the percentiles of what the events took."""
    centiles = statistics.quantiles(seconds, n=100, method="inclusive")
    return Passage(len(seconds), centiles[49] * 1e6, centiles[98] * 1e6)
