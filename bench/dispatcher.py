"""The dispatcher beside loops that only make its calls, and its cost as the ledger grows."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path

from bench import load, parties
from bench.children import Child, child, module
from bench.cores import Cores
from bench.driver import CONCURRENCY, Work
from bench.events import envelope, message
from bench.load import Delivery, Load
from bench.parties import PROJECT, Sink
from bench.plan import Plan, alternate
from bench.progress import Say
from bench.quiet import Quiet

KINDS = ("dispatcher", "bare", "shared")
_PUSHES_PER_SECOND = 4000


@dataclass
class Dispatched:
    """The dispatcher's measurements.

    `rounds` are by kind of work, `sizes` by the ledger's size in documents. `served` is the
    dispatcher under functions-framework, over HTTP.
    """

    rounds: Sequence[Mapping[str, Work]] = ()
    sizes: Sequence[Mapping[int, Work]] = ()
    served: Sequence[Load] = field(default_factory=list)


@dataclass(frozen=True)
class Pair:
    """A Firestore with a ledger of some size, and the dispatcher that uses it."""

    firestore: Child
    driver: Child
    quiet: Quiet

    async def work(self, kind: str, seconds: float) -> Work:
        """Do one kind of work, then delete what it wrote."""
        before = float(await self.firestore.ask("cpu"))
        came = Work(**json.loads(await self.driver.ask(f"{kind} {seconds}")))
        used = float(await self.firestore.ask("cpu")) - before
        await self.driver.ask("tidy")
        return replace(came, store_cpu=used)

    async def measured(self, kind: str, seconds: float) -> Work:
        """Do the same, and repeat it if the host disturbed it."""
        return await self.quiet.measure(kind, partial(self.work, kind, seconds))


async def measure(
    plan: Plan, quiet: Quiet, cores: Cores, binaries: Path, scratch: Path, say: Say
) -> Dispatched:
    """Measure everything, in alternating rounds."""
    dispatched = Dispatched()
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(parties.sink(binaries))
        say(f"filling ledgers of {', '.join(f'{size:,}' for size in plan.sizes)} documents")
        pairs = {size: await _pair(stack, size, sink, cores, quiet) for size in plan.sizes}
        smallest = pairs[min(pairs)]
        for pair in pairs.values():
            for kind in KINDS if pair is smallest else KINDS[:1]:
                await pair.work(kind, plan.size_seconds)
        dispatched.rounds = await _rounds(plan, smallest, say)
        dispatched.sizes = await _sizes(plan, pairs, say)
        dispatched.served = await _serve(plan, smallest, sink, cores, scratch, say)
    return dispatched


async def _pair(stack: AsyncExitStack, size: int, sink: Sink, cores: Cores, quiet: Quiet) -> Pair:
    firestore = await stack.enter_async_context(child(*module("bench.ledger", str(size))))
    environ = _environ(firestore, sink)
    driver = await stack.enter_async_context(
        child(*module("bench.driver"), environ=environ, cores=cores.party)
    )
    return Pair(firestore, driver, quiet)


def _environ(firestore: Child, sink: Sink) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "FIRESTORE_EMULATOR_HOST": firestore.greeting,
        "PUBSUB_EMULATOR_HOST": sink.address,
    }


async def _rounds(plan: Plan, pair: Pair, say: Say) -> Sequence[Mapping[str, Work]]:
    rounds = []
    for number in range(plan.rounds):
        kinds = alternate(KINDS, number)
        came = {kind: await pair.measured(kind, plan.dispatcher_seconds) for kind in kinds}
        told = ", ".join(f"{kind} {work.rate:.0f}/s" for kind, work in came.items())
        say(f"dispatcher, round {number + 1}: {told}")
        rounds.append(came)
    return rounds


async def _sizes(plan: Plan, pairs: Mapping[int, Pair], say: Say) -> Sequence[Mapping[int, Work]]:
    rounds = []
    for number in range(plan.size_rounds):
        came = {}
        for size in alternate(sorted(pairs), number):
            came[size] = await pairs[size].measured("dispatcher", plan.size_seconds)
        told = ", ".join(f"{size:,} {cost(came[size]):.0f} µs" for size in sorted(came))
        say(f"ledger's size, round {number + 1}: {told}")
        rounds.append(came)
    return rounds


def cost(work: Work) -> float:
    """Return the microseconds of CPU that one event took, the Firestore's included."""
    return (work.cpu + work.store_cpu) / work.events * 1e6


async def _serve(
    plan: Plan, pair: Pair, sink: Sink, cores: Cores, scratch: Path, say: Say
) -> Sequence[Load]:
    """Load the dispatcher as it is deployed, under functions-framework."""
    pushes = scratch / "pushes.tsv"
    # Far above the numbers that the driver uses, so that no event is a duplicate.
    numbers = count(10**12)
    rounds = []
    environ = _environ(pair.firestore, sink)
    async with parties.function("dispatch", environ, cores) as running:
        for number in range(plan.rounds + 1):
            warming = number == 0
            seconds = plan.warm_seconds if warming else plan.seconds
            load.write(pushes, [_push(next(numbers)) for _ in range(_PUSHES_PER_SECOND * seconds)])
            before = await sink.messages()
            came = await load.run(running.url, pushes, connections=CONCURRENCY, seconds=seconds)
            _check(came, await sink.messages() - before)
            if not warming:
                say(f"dispatcher over HTTP, round {number}: {came.rate:.0f}/s")
                rounds.append(came)
    return rounds


def _push(number: int) -> Delivery:
    # The generator also sends a delivery's headers, which the dispatcher ignores.
    return Delivery("-", 0, "-", envelope(message(number)))


def _check(came: Load, stored: int) -> None:
    if came.refused or came.broken or stored < came.requests:
        raise RuntimeError(f"the dispatcher published {stored} of {came}")
