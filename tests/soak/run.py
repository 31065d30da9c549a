"""One soak from start to account."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from hooks.local import rpc
from hooks.local.names import Names
from hooks.local.process import FUNCTIONS, FunctionProcess
from hooks.local.provision import PushTimes, provision
from tests.soak.account import Account, Found, Sent, Upheaval, draw_up
from tests.soak.emulators import Emulators, Journal
from tests.soak.gemini import AUDIENCE, Order
from tests.soak.memory import Sample, resident
from tests.soak.plan import BLUE_TOPIC, FAILURES_TOPIC, ROUTES, events
from tests.soak.schedule import (
    DISPATCHING,
    EVERYTHING,
    STRUCK,
    UPHEAVALS,
    Action,
    Fault,
    rounds,
    spread,
)

PROJECT = "soak"
NAMES = Names(PROJECT)
TOPICS = {
    NAMES.ingress: "ingress",
    NAMES.events: "events",
    NAMES.dead_letter: "dead-letter",
    f"projects/{PROJECT}/topics/{BLUE_TOPIC}": "blue",
    f"projects/{PROJECT}/topics/{FAILURES_TOPIC}": "failures",
}
"""Full names of the topics, and what the account calls them."""

_ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS = 10.0
_SAMPLE_SECONDS = 1.0
# Without any change for so long, what is owed will not be done any more.
_STANDSTILL_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How large a soak is. `parallel` is how many attempts a receiver is sent at a time.

    `lease_seconds` is short, so that what a killed dispatcher held is soon taken up again.
    """

    deliveries: int = 100_000
    seed: int = 1
    instances: int = 2
    parallel: int = 24
    lease_seconds: int = 20


@dataclass(frozen=True)
class Progress:
    """How far a soak has come: events through `settled` deliveries, `handled`, messages `owed`."""

    settled: int
    handled: int
    owed: int
    seconds: float


OnProgress = Callable[[Progress], None]


class Gemini:
    """The process that stands for Gemini."""

    def __init__(self, process: Process) -> None:
        self.url = ""
        self.settled = 0
        self.sent = Sent()
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls) -> AsyncIterator["Gemini"]:
        """Run it while the block lasts."""
        paths = os.pathsep.join([str(_ROOT / "functions"), str(_ROOT)])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.soak.gemini"),
            stdin=PIPE,
            stdout=PIPE,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": paths},
            limit=1 << 24,
        )
        gemini = cls(process)
        try:
            gemini.url = (await _said(process))["url"]
            yield gemini
        finally:
            gemini.stop()
            await process.wait()

    async def send(self, order: Order) -> None:
        """Have the order carried out; return once everything is settled."""
        stdin = cast("asyncio.StreamWriter", self._process.stdin)
        stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        await stdin.drain()
        while "sent" not in (known := await _said(self._process)):
            self.settled = known["settled"]
        self.sent = _sent(known["sent"])
        self.settled = self.sent.deliveries

    def stop(self) -> None:
        """Have the order cut short."""
        cast("asyncio.StreamWriter", self._process.stdin).close()


async def _said(process: Process) -> Mapping[str, Any]:
    line = await cast("asyncio.StreamReader", process.stdout).readline()
    if not line:
        raise RuntimeError(f"Gemini ended with status {await process.wait()}")
    known: Mapping[str, Any] = json.loads(line)
    return known


def _sent(known: Mapping[str, Any]) -> Sent:
    hostile = {kind: Counter(answers) for kind, answers in known["hostile"].items()}
    counters = {name: Counter(known[name]) for name in ("genuine", "rotations")}
    return Sent(**{**known, **counters, "hostile": hostile})


class Soak:
    """A soak under way."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._events = list(events(options.deliveries, options.seed))
        self._journal = Journal({each.id: each for each in self._events}, TOPICS)
        self._emulators = Emulators(self._journal)
        self._functions: dict[str, FunctionProcess] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._upheaval = Upheaval()
        self._tracebacks: list[str] = []
        self._failing: set[str] = set()
        self._samples: list[Sample] = []
        self._began = time.monotonic()

    @property
    def samples(self) -> list[Sample]:
        """The memory of every function, as sampled so far."""
        return self._samples

    async def run(self, on_progress: OnProgress) -> Account:
        """Run it to the end."""
        async with contextlib.AsyncExitStack() as unwinding:
            gemini = await unwinding.enter_async_context(Gemini.started())
            host = await self._emulate(unwinding)
            await self._start_functions(unwinding, host, gemini.url)
            topics = list(TOPICS)
            times = PushTimes(acknowledge_within=60, minimum_backoff=0.1, maximum_backoff=2.0)
            pushing = provision(
                NAMES, host, endpoint=self._functions["dispatch-1"].url, topics=topics, times=times
            )
            await unwinding.enter_async_context(pushing)
            self._began = time.monotonic()
            await self._under_fire(gemini, host, on_progress)
            seconds = time.monotonic() - self._began
            found = Found(
                self._journal.copies,
                self._journal.altered,
                await self._emulators.ledger(PROJECT),
                self._owed(),
                self._tracebacks,
            )
        self._upheaval.struck = self._emulators.faults.struck
        return draw_up(self._events, gemini.sent, found, self._upheaval, self._samples, seconds)

    async def _emulate(self, unwinding: contextlib.AsyncExitStack) -> str:
        unwinding.push_async_callback(self._emulators.close)
        listener = await rpc.listen(self._emulators.services, guard=self._emulators.faults.guard)
        unwinding.push_async_callback(listener.stop)
        return listener.address

    async def _start_functions(
        self, unwinding: contextlib.AsyncExitStack, host: str, gemini_url: str
    ) -> None:
        environ = {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": host,
            "FIRESTORE_EMULATOR_HOST": host,
            "SECRET_MANAGER_EMULATOR_HOST": host,
            "INGRESS_TOPIC": NAMES.ingress,
            "SIGNING_SECRET": NAMES.signing_secret,
            "JWKS_URI": f"{gemini_url}/.well-known/jwks.json",
            "JWT_AUDIENCE": AUDIENCE,
            "EVENTS_TOPIC": NAMES.events,
            "DEAD_LETTER_TOPIC": NAMES.dead_letter,
            "ROUTES": ROUTES,
            "LEASE_SECONDS": str(self._options.lease_seconds),
        }
        # As deployed: what is edited meanwhile does not reach those that start anew.
        source = Path(unwinding.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        shutil.copytree(FUNCTIONS, source, dirs_exist_ok=True)
        for target in ("receive", "dispatch"):
            for number in range(1, self._options.instances + 1):
                name = f"{target}-{number}"
                function = FunctionProcess(
                    name, target=target, environ=environ, source=source, on_line=self._read
                )
                unwinding.push_async_callback(function.close)
                self._functions[name] = function
                self._locks[name] = asyncio.Lock()
        await asyncio.gather(*(each.start() for each in self._functions.values()))
        self._emulators.balancer.urls = self._urls("dispatch")

    def _urls(self, target: str) -> list[str]:
        return [each.url for name, each in self._functions.items() if name.startswith(target)]

    def _read(self, name: str, line: str) -> None:
        if "Traceback" in line:
            self._failing.add(name)
        elif name in self._failing and line[:1].isalpha():
            # The line that ends a traceback.
            self._failing.discard(name)
            self._tracebacks.append(f"{name}: {line[:200]}")

    async def _under_fire(self, gemini: Gemini, host: str, on_progress: OnProgress) -> None:
        options = self._options
        order = Order(
            options.deliveries,
            options.seed,
            self._urls("receive"),
            options.parallel,
            host,
            PROJECT,
        )
        watching = [
            asyncio.create_task(self._watch(gemini, on_progress)),
            asyncio.create_task(self._sample()),
        ]
        sending = asyncio.create_task(gemini.send(order))
        upheaving = asyncio.create_task(self._upheave())
        try:
            await self._come_to_rest(gemini, sending, upheaving)
            gemini.stop()
            upheaving.cancel()
            await sending
            with contextlib.suppress(asyncio.CancelledError):
                await upheaving
        finally:
            under_way = (*watching, sending, upheaving)
            for each in under_way:
                each.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _watch(self, gemini: Gemini, on_progress: OnProgress) -> None:
        while True:
            seconds = time.monotonic() - self._began
            on_progress(Progress(gemini.settled, self._handled(), self._owed(), seconds))
            await asyncio.sleep(1.0)

    def _handled(self) -> int:
        return len(self._journal.copies["events"])

    def _owed(self) -> int:
        return self._emulators.pubsub.backlog(NAMES.dispatch)

    async def _upheave(self) -> None:
        """Do everything in its time, which what has been stored and fanned out tells."""
        total = len(self._events)
        plan = spread(UPHEAVALS, rounds(self._options.deliveries), total)
        plan.append((round(total * 0.9), EVERYTHING))
        dispatching = [each for each in plan if each[1][0] in DISPATCHING]
        receiving = [each for each in plan if each[1][0] not in DISPATCHING]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(dispatching, "events"))
            group.create_task(self._follow(receiving, "ingress"))

    async def _follow(self, plan: Iterable[tuple[int, Action]], topic: str) -> None:
        reached = self._journal.copies[topic]
        async with asyncio.TaskGroup() as group:
            for count, action in plan:
                # The journal, kept on this loop, tells only when asked.
                while len(reached) < count:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                self._upheaval.actions[" ".join(action)] += 1
                group.create_task(self._act(*action))

    async def _act(self, what: str, how: str) -> None:
        if what == "everything":
            await asyncio.gather(*(self._strike_down(name, how) for name in self._functions))
        elif what in self._functions:
            await self._strike_down(what, how)
        else:
            self._emulators.faults.order(what, cast("Fault", how), STRUCK[what, how])

    async def _strike_down(self, name: str, how: str) -> None:
        function = self._functions[name]
        async with self._locks[name]:
            if how == "kill":
                await function.kill()
            else:
                began = time.monotonic()
                status = await function.terminate(timeout=_STOP_SECONDS)
                self._upheaval.stops.append((name, status, time.monotonic() - began))
            await function.start()

    async def _come_to_rest(
        self, gemini: Gemini, sending: asyncio.Task[None], upheaving: asyncio.Task[None]
    ) -> None:
        """Return once everything is done, or once nothing more is being done."""
        known, since = (-1, -1, -1), time.monotonic()
        while not (sending.done() and upheaving.done() and not self._owed()):
            progress = (gemini.settled, self._handled(), self._owed())
            if progress != known:
                known, since = progress, time.monotonic()
            elif time.monotonic() - since > _STANDSTILL_SECONDS:
                return
            await asyncio.sleep(0.05)

    async def _sample(self) -> None:
        while True:
            at = time.monotonic() - self._began
            for name, function in self._functions.items():
                leader = function.pid
                size = resident(leader) if leader else None
                if leader and size:
                    self._samples.append(Sample(name, leader, at, size))
            await asyncio.sleep(_SAMPLE_SECONDS)
