"""A world in which anything that a dispatcher waits for can fail, hang, or kill it.

Each delivery attempt is a process of its own, with a clock of its own, running the production
worker over a seam: a ledger store and a publisher that act on shared state. Every call through the
seam has a number, and a plan says what happens to which call.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any, TypeVar

from relay.dispatcher.claims import DEAD_LETTERED, DONE, Terms, document_id
from relay.dispatcher.routes import EVENTS, Route
from relay.dispatcher.settings import Settings
from relay.dispatcher.worker import Outcome, Worker
from relay.errors import PublishRefused, PublishUnavailable, Unavailable
from relay.gcp.store import Conflict, LedgerUnavailable, Snapshot
from relay.web.push import PushedMessage
from tests.support.documents import Documents

T = TypeVar("T")

EPOCH = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
NETWORK_SECONDS = 0.02
CALL_SECONDS = 5.0
FUNCTION_TIMEOUT_SECONDS = 60.0
# Once while a lease may be alive, then after it: what happens in between is more of the same.
BACKOFF_SECONDS = (10.0, 150.0, 600.0)
MAX_DELIVERIES = 100

DEAD_LETTER = "projects/p/topics/dead"
ROUTES = (
    Route(EVENTS, "projects/p/topics/events"),
    Route("blue", "projects/p/topics/blue"),
    Route("green", "projects/p/topics/green", types=("batch.*",)),
)
MESSAGE = PushedMessage(
    data=json.dumps({"type": "batch.succeeded", "data": {"id": "batch_1"}}).encode(),
    attributes={
        "webhook-id": "evt_1",
        "dedup-key": "evt_1",
        "scheme": "v1",
        "received-at": "2027-01-15T08:00:00.000Z",
    },
    message_id="1",
)


class Fault(Enum):
    """What happens to one call; `BEFORE` its effect, or `AFTER` it."""

    FAIL_BEFORE = "fails, without effect"
    FAIL_AFTER = "fails, though it took effect"
    FAIL_LATER = "fails, and takes effect a while later"
    FAIL_MUCH_LATER = "fails, and takes effect long after the lease"
    HANG_BEFORE = "hangs until the client gives up, without effect"
    HANG_AFTER = "hangs until the client gives up, though it took effect"
    STUCK_BEFORE = "hangs until the worker itself gives up, without effect"
    STUCK_AFTER = "hangs until the worker itself gives up, though it took effect"
    KILL_BEFORE = "the process dies before the effect"
    KILL_AFTER = "the process dies after the effect"
    FREEZE_BEFORE = "the process is frozen past its lease, then goes on to the effect"
    FREEZE_AFTER = "the process is frozen past its lease after the effect, then goes on"
    WAKE_BEFORE = "the process is frozen past its lease, and its timers fire before the effect"
    WAKE_AFTER = "the process is frozen past its lease after the effect, and its timers fire"
    NAP_BEFORE = "the process is frozen for less than the lease, then goes on to the effect"
    NAP_AFTER = "the process is frozen for less than the lease after the effect, then goes on"
    RETRY = "takes effect, the reply is lost, and the client tries the same call again"


_FREEZES = {
    Fault.FREEZE_BEFORE: 150.0,
    Fault.FREEZE_AFTER: 150.0,
    Fault.WAKE_BEFORE: 150.0,
    Fault.WAKE_AFTER: 150.0,
    Fault.NAP_BEFORE: 60.0,
    Fault.NAP_AFTER: 60.0,
}
_BEFORE = {fault for fault in Fault if fault.name.endswith("_BEFORE")}

READ_FAULTS = sorted(_BEFORE, key=lambda fault: fault.name)
"""A read has no effect, so it does not matter which side of it a fault is on."""

Plan = Mapping[int, Fault]


@dataclass(eq=False)
class Process:
    """One running dispatcher; `skew` is how far its clock is ahead, in seconds."""

    skew: float = 0.0
    frozen_until: float = 0.0
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    worker: Worker = field(init=False)


class World:
    """Everything that outlives a process: the ledger's documents, the topics, the faults to come.

    `refuses` names topics whose publishes are refused for ever, `down` those that cannot be
    reached: how many more times, by topic.
    """

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        refuses: Sequence[str] = (),
        down: Mapping[str, int] | None = None,
        publish_seconds: float = NETWORK_SECONDS,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.start = self.loop.time()
        self.plan = dict(plan or {})
        self.refuses = set(refuses)
        self.down = Counter(down or {})
        self.publish_seconds = publish_seconds
        self.calls: list[str] = []
        self.faults: list[str] = []
        self.documents = Documents()
        self.published: list[tuple[str, bytes, dict[str, str]]] = []
        self.violations: list[AssertionError] = []
        self.over = False
        self._end: asyncio.Future[None] = self.loop.create_future()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._settings = Settings("p", DEAD_LETTER, ROUTES, Terms())

    def process(self, skew: float = 0.0) -> Process:
        """Start a dispatcher whose clock is that many seconds ahead."""
        process = Process(skew)
        seam = Seam(self, process)

        def now() -> datetime:
            return EPOCH + timedelta(seconds=self.loop.time() - self.start + skew)

        process.worker = Worker(self._settings, seam, seam, now)
        return process

    def later(self, work: Any) -> asyncio.Task[Any]:
        """Run something that the world waits for before it ends."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def request(self, process: Process, message: PushedMessage) -> Outcome | None:
        """Push once; None for any answer that makes Pub/Sub try again, or for none at all."""
        answer = self.later(self._answer(process, message))
        death = self.loop.create_task(process.dead.wait())
        await asyncio.wait(
            {answer, death},
            timeout=FUNCTION_TIMEOUT_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        death.cancel()
        return answer.result() if answer.done() else None

    async def _answer(self, process: Process, message: PushedMessage) -> Outcome | None:
        began = self.loop.time()
        try:
            outcome = await process.worker.handle(message)
        except Unavailable:
            outcome = Outcome.UNFINISHED
        acknowledged = outcome not in {Outcome.BUSY, Outcome.UNFINISHED}
        try:
            # Also of answers that come too late for anybody to hear them.
            if acknowledged:
                self.check_finished()
            if not process.frozen_until:
                assert self.loop.time() - began < FUNCTION_TIMEOUT_SECONDS
        except AssertionError as violation:
            self.violations.append(violation)
        return outcome if acknowledged else None

    async def deliver(
        self,
        message: PushedMessage = MESSAGE,
        *,
        delay: float = 0.0,
        skews: Sequence[float] = (0,),
    ) -> int:
        """Push until acknowledged, as a subscription does; return how many times it took."""
        await asyncio.sleep(delay)
        for attempt in range(MAX_DELIVERIES):
            process = self.process(skews[attempt % len(skews)])
            if await self.request(process, message):
                return attempt + 1
            await asyncio.sleep(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])
        raise AssertionError("never acknowledged")

    def exists(self) -> bool:
        """Tell whether anybody has claimed the event."""
        return self.documents.read(document_id(MESSAGE.attributes["dedup-key"])) is not None

    def document(self) -> dict[str, Any]:
        """Return the fields of the event's ledger document."""
        found = self.documents.read(document_id(MESSAGE.attributes["dedup-key"]))
        assert found is not None
        return dict(found.fields)

    async def finish(self) -> None:
        """Wait for whatever is frozen or late; then end every process that died."""
        alive = {task for task in self._tasks if not task.done()}
        if alive:
            # Long enough for the longest freeze and the latest effect.
            await asyncio.wait(alive, timeout=1000.0)
        self.over = True
        self._end.set_result(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.check_answers()

    def check_answers(self) -> None:
        """Raise the first broken promise of any answer so far."""
        for violation in self.violations:
            raise violation

    def check_finished(self) -> None:
        """Assert what an acknowledgement promises: nothing is left to do for anyone."""
        copies = self.copies()
        document = self.document()
        assert document["state"] == (DEAD_LETTERED if self.refuses else DONE)
        for route in ROUTES:
            if route.topic in self.refuses:
                assert copies[DEAD_LETTER] >= 1
            else:
                assert copies[route.topic] >= 1
                assert route.name in document["routes_done"]

    def copies(self) -> Counter[str]:
        """Count the messages of each topic; every copy must be the same but for the topic."""
        first: dict[str, Any] = {}
        for topic, data, attributes in self.published:
            assert data == MESSAGE.data
            assert first.setdefault(topic, attributes) == attributes
            assert attributes.get("ce-id", "evt_1") == "evt_1"
        return Counter(topic for topic, _, _ in self.published)

    def next_fault(self, name: str) -> Fault | None:
        """Number a call, and say what is to happen to it."""
        fault = self.plan.get(len(self.calls))
        self.calls.append(name)
        if fault is not None:
            self.faults.append(f"{name} {fault.value}")
        return fault

    async def for_ever(self) -> None:
        """Never return, as a dead process does not, whoever cancels; until the world ends."""
        while not self._end.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._end)
        raise asyncio.CancelledError

    async def frozen(self, process: Process) -> bool:
        """Return once the process thaws; tell whether it was cancelled meanwhile."""
        cancelled = False
        while (left := process.frozen_until - self.loop.time()) > 0 and not self.over:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                cancelled = True
        return cancelled


class Seam:
    """The ledger's store and the publisher of one process."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    async def create(self, document: str, fields: Mapping[str, Any]) -> int:
        effect = partial(self._world.documents.create, document, fields)
        return await self._call("create", effect, LedgerUnavailable("ledger"), CALL_SECONDS)

    async def read(self, document: str) -> Snapshot | None:
        effect = partial(self._world.documents.read, document)
        return await self._call("read", effect, LedgerUnavailable("ledger"), CALL_SECONDS)

    async def update(self, document: str, fields: Mapping[str, Any], version: int) -> int:
        effect = partial(self._world.documents.update, document, fields, version)
        return await self._call("update", effect, LedgerUnavailable("ledger"), CALL_SECONDS)

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        def effect() -> str:
            if topic in self._world.refuses:
                raise PublishRefused("refused")
            if self._world.down[topic] > 0:
                self._world.down[topic] -= 1
                raise PublishUnavailable("down")
            self._world.published.append((topic, data, dict(attributes)))
            return str(len(self._world.published))

        name = f"publish to {topic.rpartition('/')[2]}"
        return await self._call(name, effect, PublishUnavailable("publish"), timeout)

    async def _call(
        self, name: str, effect: Callable[[], T], failure: Unavailable, limit: float
    ) -> T:
        fault = self._world.next_fault(name)
        seconds = self._world.publish_seconds if name.startswith("publish") else NETWORK_SECONDS
        stuck = fault in {Fault.STUCK_BEFORE, Fault.STUCK_AFTER}
        try:
            async with asyncio.timeout(None if stuck else limit):
                await self._travel(seconds)
                if fault in _BEFORE:
                    await self._strike(fault, failure)
                if fault in {Fault.FAIL_LATER, Fault.FAIL_MUCH_LATER}:
                    self._world.later(self._later(effect, fault))
                    raise failure
                result = effect()
                if fault is Fault.RETRY:
                    result = effect()
                elif fault is not None and fault not in _BEFORE:
                    await self._strike(fault, failure)
                await self._travel(seconds)
        except TimeoutError:
            raise failure from None
        return result

    async def _travel(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 2)
        if self._process.dead.is_set():
            await self._world.for_ever()
        await self._world.frozen(self._process)

    async def _strike(self, fault: Fault, failure: Unavailable) -> None:
        if fault in {Fault.FAIL_BEFORE, Fault.FAIL_AFTER}:
            raise failure
        if fault in _FREEZES:
            self._process.frozen_until = self._world.loop.time() + _FREEZES[fault]
            cancelled = await self._world.frozen(self._process)
            if cancelled and fault in {Fault.WAKE_BEFORE, Fault.WAKE_AFTER}:
                raise asyncio.CancelledError
        elif fault in {Fault.KILL_BEFORE, Fault.KILL_AFTER}:
            self._process.dead.set()
            await self._world.for_ever()
        else:
            await asyncio.sleep(10_000)

    async def _later(self, effect: Callable[[], object], fault: Fault) -> None:
        await asyncio.sleep(3.0 if fault is Fault.FAIL_LATER else 200.0)
        with contextlib.suppress(Conflict, PublishRefused, PublishUnavailable):
            effect()
