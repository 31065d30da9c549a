"""The receiver beside its peers: throughput, latency, CPU for each delivery, and memory."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench import load, parties
from bench.checks import seconds_per_check
from bench.cores import Cores, on
from bench.figures import Rounds
from bench.identity import Signer, identity
from bench.load import Load
from bench.parties import Running, Sink
from bench.plan import Plan, alternate
from bench.processes import busy_seconds, cpu_seconds, resident_bytes
from bench.progress import Say
from bench.quiet import Quiet

CONNECTIONS = 32


@dataclass
class Received:
    """All that was measured of the receiver and its peers.

    `checks` are the seconds that a bare check of a `v1a` signature took in each round of `kinds`;
    `memory` is in bytes, by party.
    """

    busy: Rounds = ()
    alone: Rounds = ()
    kinds: Rounds = ()
    checks: Sequence[float] = ()
    half: Rounds = ()
    memory: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True)
class Bench:
    """What all measurements share: the running parties, and the deliveries to send them."""

    sink: Sink
    cores: Cores
    running: Mapping[str, Running]
    static: Path
    dynamic: Path
    plan: Plan
    signer: Signer
    quiet: Quiet
    say: Say

    async def load(
        self,
        name: str,
        *,
        connections: int = CONNECTIONS,
        requests: Path | None = None,
        pause_ms: float = 0.0,
        seconds: int = 0,
    ) -> Load:
        """Load a party. Each answer must be a 2xx, and a stored message where it publishes."""
        running = self.running[name]
        before = await self.sink.messages()
        cpu, busy = cpu_seconds(running.pid), busy_seconds(self.cores.load)
        came = await load.run(
            running.url,
            requests or self.static,
            connections=connections,
            seconds=seconds or self.plan.seconds,
            pause_ms=pause_ms,
        )
        cpu, busy = cpu_seconds(running.pid) - cpu, busy_seconds(self.cores.load) - busy
        stored = await self.sink.messages() - before
        if came.refused or came.broken:
            raise RuntimeError(f"{name} refused {came.refused} and broke {came.broken} of {came}")
        if parties.BY_NAME[name].publishes and stored < came.requests:
            raise RuntimeError(f"{name} acknowledged {came.requests} and stored {stored}")
        return replace(came, cpu=cpu, load_busy=busy)

    async def measured(self, name: str, **options: Any) -> Load:
        """Do the same, and repeat it if the host disturbed it."""
        return await self.quiet.measure(name, partial(self.load, name, **options))

    def sign(self) -> None:
        """Sign again, as each round does: a delivery is accepted for five minutes."""
        load.write(self.static, load.deliveries(self.signer.static))
        load.write(self.dynamic, load.deliveries(self.signer.dynamic))


async def measure(
    plan: Plan, quiet: Quiet, cores: Cores, binaries: Path, scratch: Path, *, go: bool, say: Say
) -> Received:
    """Measure everything, in alternating rounds."""
    received = Received()
    everyone = parties.PYTHON_PARTIES + (parties.GO_PARTIES if go else ())
    static, dynamic = scratch / "static.tsv", scratch / "dynamic.tsv"
    async with AsyncExitStack() as stack:
        signer, environ = stack.enter_context(identity())
        sink = await stack.enter_async_context(parties.sink(binaries))
        environ = {**environ, "PUBSUB_EMULATOR_HOST": sink.address}
        running = {
            party.name: await stack.enter_async_context(
                parties.start(party, environ, binaries, cores)
            )
            for party in everyone
        }
        bench = Bench(sink, cores, running, static, dynamic, plan, signer, quiet, say)
        bench.sign()
        for name in running:
            say(f"warming {name}")
            await bench.load(name, seconds=plan.warm_seconds)
        await bench.load("receiver", requests=dynamic, seconds=plan.warm_seconds)
        received.busy, received.memory = await _busy(bench)
        received.alone = await _alone(bench)
        received.kinds, received.checks = await _kinds(bench)
        received.half = await _half(bench, received.busy)
    return received


async def _busy(bench: Bench) -> tuple[Rounds, Sequence[Mapping[str, float]]]:
    rounds, memory = [], []
    for number in range(bench.plan.rounds):
        rounds.append(await _round(bench, number, CONNECTIONS))
        memory.append(
            {name: resident_bytes(running.pid) for name, running in bench.running.items()}
        )
    return rounds, memory


async def _alone(bench: Bench) -> Rounds:
    return [await _round(bench, number, 1) for number in range(bench.plan.rounds)]


async def _round(bench: Bench, number: int, connections: int) -> Mapping[str, Load]:
    bench.sign()
    came = {}
    for name in alternate(list(bench.running), number):
        came[name] = await bench.measured(name, connections=connections)
        bench.say(f"{connections} connections, round {number + 1}, {name}: {came[name].rate:.0f}/s")
    return came


async def _kinds(bench: Bench) -> tuple[Rounds, Sequence[float]]:
    rounds, checks = [], []
    for number in range(bench.plan.rounds):
        bench.sign()
        kinds = [("v1", bench.static), ("v1a", bench.dynamic)]
        came = {
            kind: await bench.measured("receiver", requests=requests)
            for kind, requests in alternate(kinds, number)
        }
        with on(bench.cores.party):
            check = seconds_per_check(
                bench.signer.public_key, load.deliveries(bench.signer.dynamic)
            )
        told = ", ".join(f"{kind} {each.cost:.0f} µs" for kind, each in came.items())
        bench.say(f"CPU per delivery, round {number + 1}: {told}, bare check {check * 1e6:.0f} µs")
        rounds.append(came)
        checks.append(check)
    return rounds, checks


async def _half(bench: Bench, busy: Rounds) -> Rounds:
    """Offer half of the receiver's rate to both, by connections that pause between requests."""
    wanted = statistics.median(came["receiver"].rate for came in busy) / 2
    pauses = dict.fromkeys(("receiver", "noop"), CONNECTIONS / wanted * 1000)
    rounds = []
    # The first round only finds the right pauses.
    for number in range(bench.plan.rounds + 1):
        bench.sign()
        came = {}
        for name, pause in alternate(list(pauses.items()), number):
            if number:
                came[name] = await bench.measured(name, pause_ms=pause)
            else:
                seconds = bench.plan.warm_seconds
                came[name] = await bench.load(name, pause_ms=pause, seconds=seconds)
            rate, p99 = came[name].rate, came[name].p99 / 1000
            pauses[name] = next_pause(pause, rate, wanted, CONNECTIONS)
            told = f"{rate:.0f}/s of {wanted:.0f}/s, p99 {p99:.1f} ms"
            bench.say(f"half load, round {number}, {name}: {told}")
        # In the order of the tables again, whoever came first this time.
        rounds.append({name: came[name] for name in pauses})
    return rounds[1:]


def next_pause(pause_ms: float, rate: float, wanted: float, connections: int) -> float:
    """Return the pause between requests that should lead to `wanted` requests a second."""
    return max(0.0, pause_ms + 1000 * connections * (1 / wanted - 1 / rate))
