"""One soak from start to account."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.core import rpc
from localcloud.laptop.names import Names
from localcloud.laptop.provision import PushTimes, provision
from tests.soak.account import Account, Found, Struck, draw_up
from tests.soak.emulators import Emulators, Journal
from tests.soak.functions import Functions
from tests.soak.gemini import AUDIENCE, Order
from tests.soak.memory import Sample
from tests.soak.plan import BLUE_TOPIC, FAILURES_TOPIC, ROUTES, events
from tests.soak.sending import Gemini
from tests.soak.upheaval import Upheaval

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

# The shortest that Pub/Sub knows.
_ACKNOWLEDGE_SECONDS = 10
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
    """How far a soak has come: deliveries `settled`, events `handled`, messages `owed`."""

    settled: int
    handled: int
    owed: int
    seconds: float


OnProgress = Callable[[Progress], None]


class Soak:
    """A soak under way."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._events = list(events(options.deliveries, options.seed))
        self._journal = Journal({each.id: each for each in self._events}, TOPICS)
        self._emulators = Emulators(self._journal.store)
        # Frozen until what it holds has been delivered again, and its leases are over.
        freeze_seconds = _ACKNOWLEDGE_SECONDS + options.lease_seconds
        instances = {"receive": options.instances, "dispatch": options.instances}
        self._functions = Functions(instances, freeze_seconds)
        self._upheaval = Upheaval(
            options.deliveries, self._journal, self._functions, self._emulators.faults
        )

    @property
    def samples(self) -> list[Sample]:
        """The memory of every function, as sampled so far."""
        return self._functions.samples

    async def run(self, on_progress: OnProgress) -> Account:
        """Run it to the end."""
        async with contextlib.AsyncExitStack() as unwinding:
            gemini = await unwinding.enter_async_context(Gemini.started())
            host = await self._emulate(unwinding)
            environ = self._environ(host, gemini.url)
            await self._functions.start({"receive": environ, "dispatch": environ}, unwinding)
            dispatchers = self._functions.urls("dispatch")
            self._emulators.balancer.urls = dispatchers
            times = PushTimes(_ACKNOWLEDGE_SECONDS, minimum_backoff=0.1, maximum_backoff=2.0)
            pushing = provision(NAMES, host, endpoint=dispatchers[0], topics=TOPICS, times=times)
            await unwinding.enter_async_context(pushing)
            began = time.monotonic()
            await self._under_fire(gemini, host, on_progress)
            seconds = time.monotonic() - began
            found = await self._found()
        functions, faults = self._functions, self._emulators.faults
        struck = Struck(self._upheaval.actions, faults.struck, functions.stops)
        return draw_up(self._events, gemini.sent, found, struck, functions.samples, seconds)

    async def _emulate(self, unwinding: contextlib.AsyncExitStack) -> str:
        unwinding.push_async_callback(self._emulators.close)
        listener = await rpc.listen(self._emulators.services, guard=self._emulators.faults.guard)
        unwinding.push_async_callback(listener.stop)
        return listener.address

    def _environ(self, host: str, gemini_url: str) -> dict[str, str]:
        return {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": host,
            "FIRESTORE_EMULATOR_HOST": host,
            "SECRET_MANAGER_EMULATOR_HOST": host,
            "INGRESS_TOPIC": NAMES.ingress,
            "SIGNING_SECRET": NAMES.signing_secret,
            "JWKS_URI": f"{gemini_url}/.well-known/jwks.json",
            "SCHEMES": "v1,v1a,jwt",
            "JWT_AUDIENCE": AUDIENCE,
            "EVENTS_TOPIC": NAMES.events,
            "DEAD_LETTER_TOPIC": NAMES.dead_letter,
            "ROUTES": ROUTES,
            "LEASE_SECONDS": str(self._options.lease_seconds),
        }

    async def _under_fire(self, gemini: Gemini, host: str, on_progress: OnProgress) -> None:
        options = self._options
        order = Order(
            options.deliveries,
            options.seed,
            self._functions.urls("receive"),
            options.parallel,
            host,
            PROJECT,
        )
        watching = [
            asyncio.create_task(self._watch(gemini, on_progress)),
            asyncio.create_task(self._functions.sample()),
        ]
        sending = asyncio.create_task(gemini.send(order))
        upheaving = asyncio.create_task(self._upheaval.run(len(self._events)))
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
        began = time.monotonic()
        while True:
            seconds = time.monotonic() - began
            on_progress(Progress(gemini.settled, self._handled(), self._owed(), seconds))
            await asyncio.sleep(1.0)

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

    def _handled(self) -> int:
        return len(self._journal.copies["events"])

    def _owed(self) -> int:
        return self._emulators.pubsub.backlog(NAMES.dispatch)

    async def _found(self) -> Found:
        return Found(
            self._journal.copies,
            self._journal.altered,
            await self._emulators.ledger(PROJECT),
            self._owed(),
            self._functions.tracebacks,
        )
