"""One end, one fan-out: the dispatcher's worker and a reconciler in every order, dying at any step.

The worker is the production code, and so is the reconciler's, except where it is to make a mistake:
then it is a model of its order, over the decisions that it shares with the dispatcher. The order:
the names that it has learnt, then what is known of them in the ledger of deliveries, then the
publish, then the job's document.
"""

import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from relay.dispatcher.claims import DONE, Terms
from relay.dispatcher.jobs import Jobs
from relay.dispatcher.routes import EVENTS, Route
from relay.dispatcher.settings import Settings
from relay.dispatcher.worker import Outcome, Worker
from relay.errors import Unavailable
from relay.gcp.database import Write
from relay.gcp.queries import Found, Query
from relay.gcp.store import Conflict, Snapshot
from relay.jobs import DELIVERIES, JOB_NAMES, JOBS, documents, names, reconciled, states
from relay.jobs.documents import Record
from relay.reconciler.asking import Asking
from relay.reconciler.settings import Settings as ReconcilerSettings
from relay.reconciler.worker import Job
from relay.reconciler.worker import Worker as Reconciler
from relay.web.push import PushedMessage
from tests.crash.explorer import (
    Call,
    Explorer,
    Fault,
    Frozen,
    Identity,
    Processes,
    Reply,
    Seam,
    Start,
    State,
    added,
    changed,
    document,
)

EPOCH = datetime(2027, 1, 15, 8, tzinfo=UTC)
# So long after the last that its lease is over.
BETWEEN_ATTEMPTS = timedelta(seconds=200)
LOOK = EPOCH + timedelta(hours=1)

JOB = names.key_id("report-42")
TOKEN = "t0ken"
PATH = f"{JOBS}/{JOB}"
END = reconciled.event_id(JOB, reconciled.END)
ACTION = reconciled.event_id(JOB, reconciled.ACTION)

OPERATION = "models/veo/operations/o"
RECONCILER = ReconcilerSettings(ingress_topic="ingress", api_key="")
SETTINGS = Settings("p", "dead", (Route(EVENTS, "events"),), Terms())
RECONCILE, LIBRARY = "reconcile", "library"
MOST_RUNS = 6


@dataclass(frozen=True)
class Scenario:
    """A job that has ended at Gemini, or asks; the webhooks that will come; and what is known.

    `identified`: events bear `relay_job`. `named`: the ledger of jobs knows the events' name.
    Without either, an event is first of no job: one from before, or of a batch that is adopted.
    """

    kind: str
    word: str
    genuine: tuple[str, ...]
    identified: bool
    named: bool
    learnt_by_asking: bool = False

    @property
    def action(self) -> bool:
        return self.word == states.REQUIRES_ACTION

    @property
    def type(self) -> str:
        return f"{self.kind}.{self.word}"

    @property
    def name(self) -> str:
        return {"batch": "batches/1", "interaction": "v1_A", "video": "files/f"}[self.kind]

    @property
    def api_name(self) -> str:
        """The name by which the API is asked: not the one that the event of a video bears."""
        return OPERATION if self.kind == "video" else self.name

    @property
    def answer(self) -> Mapping[str, Any]:
        if self.kind == "interaction":
            return {"status": self.word}
        if self.kind == "batch":
            return {"name": self.name, "metadata": {"state": self.word}}
        samples = [{"video": {"uri": "https://gemini.example/v1beta/files/f:download"}}]
        response = {"generateVideoResponse": {"generatedSamples": samples}}
        return {"done": True, "response": response}

    @property
    def alias(self) -> str:
        return f"{JOB_NAMES}/{names.document_id(self.kind, self.name)}"

    @property
    def ours(self) -> str:
        return ACTION if self.action else END

    def message(self, key: str) -> PushedMessage:
        given = {"webhook-id": key, "dedup-key": key, "scheme": "v1"}
        body: dict[str, Any] = {"type": self.type, "data": {"id": self.name}}
        if key == self.ours:
            given["scheme"] = reconciled.SCHEME
        if key == self.ours or self.identified:
            body["user_metadata"] = {"relay_job": names.relay_job(JOB, TOKEN)}
        return PushedMessage(json.dumps(body).encode(), given)


def named(scenario: Scenario) -> str:
    """Return a scenario as a test's parameter."""
    known = {"identified": scenario.identified, "named": scenario.named}
    asked = {"asked": scenario.learnt_by_asking, "twice": len(scenario.genuine) > 1}
    return "-".join([scenario.type, *(word for word, set_ in (known | asked).items() if set_)])


@dataclass(frozen=True)
class Flaws:
    """Deliberate mistakes."""

    no_dispatcher_half: bool = False
    no_lookup: bool = False
    lookup_before_names: bool = False
    reconciler_announces: bool = False
    unconditional: bool = False

    @property
    def reconcilers(self) -> bool:
        """Whether it is the reconciler that makes a mistake."""
        return self.no_lookup or self.lookup_before_names or self.reconciler_announces


class Clients:
    """The store of deliveries, the database of jobs and the publisher, over one seam."""

    def __init__(self, seam: Seam) -> None:
        self._call = seam.call

    async def create(self, document: str, fields: Mapping[str, Any]) -> Any:
        return await self._call("create", f"{DELIVERIES}/{document}", fields)

    async def update(self, document: str, fields: Mapping[str, Any], version: Any) -> Any:
        return await self._call("update", f"{DELIVERIES}/{document}", fields, version)

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float = 0.0
    ) -> str:
        assert data
        assert timeout >= 0
        await self._call("publish", topic, attributes["ce-id"])
        return "1"

    async def commit(self, *writes: Write) -> None:
        await self._call("commit", [[each.document, each.fields, each.version] for each in writes])

    async def of(self, *paths: str) -> list[Snapshot | None]:
        found = await self._call("read", list(paths))
        return [Snapshot(dict(each.fields), each) if each else None for each in found]

    async def known(self, subjects: Sequence[str], event_type: str) -> bool:
        return bool(await self._call("query", list(subjects), event_type))


class Deliveries(Clients):
    async def read(self, document: str) -> Snapshot | None:
        [found] = await self.of(f"{DELIVERIES}/{document}")
        return found


class Database(Clients):
    async def read(self, *paths: str) -> Sequence[Snapshot | None]:
        return await self.of(*paths)


class Ledger(Database):
    """What the reconciler sees of the ledger of deliveries."""

    def __init__(self, seam: Seam, event_type: str) -> None:
        super().__init__(seam)
        self._type = event_type

    async def find(self, query: Query) -> Sequence[Found]:
        [(field, operator, subjects)] = query.conditions
        assert (query.collection, field, operator) == (DELIVERIES, "subject", "in")
        known = await self.known(subjects, self._type)
        return [Found("1", Snapshot({"type": self._type}, None))] if known else []

    async def count(self, query: Query) -> int:
        raise NotImplementedError


class Ingress(Clients):
    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float = 0.0
    ) -> str:
        return await super().publish(
            topic, data, {"ce-id": attributes["webhook-id"]}, timeout=timeout
        )


class Gemini(Asking):
    """What Gemini says of a scenario's job."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario

    async def job(self, kind: str, name: str) -> Mapping[str, Any]:
        assert (kind, name) == (self._scenario.kind, self._scenario.api_name)
        return self._scenario.answer


current: ContextVar[Identity] = ContextVar("current")


@pytest.fixture(autouse=True)
def deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is run again claims under the same name."""

    def token_hex(_bytes: int) -> str:
        identity = current.get()
        return f"{identity.handles} {identity.number}"

    monkeypatch.setattr("relay.dispatcher.ledger.secrets.token_hex", token_hex)


@dataclass(frozen=True)
class World:
    """A scenario with its mistakes: what each process does, and what its calls effect."""

    scenario: Scenario
    flaws: Flaws = Flaws()

    def first(self, faults: int) -> State:
        fields = documents.starting(JOB, self.scenario.kind, TOKEN, EPOCH)
        fields |= {"state": states.RUNNING, "check_at": LOOK}
        if self.scenario.kind != "batch" or self.scenario.named:
            # The name of a batch may have been lost with the reply; the list has it.
            fields["name"] = self.scenario.api_name
        stored = {PATH: fields}
        if self.scenario.named:
            stored[self.scenario.alias] = documents.alias(JOB)
        return State(
            frozenset((path, document(each)) for path, each in stored.items()),
            queue=frozenset((key, 1) for key in self.scenario.genuine),
            faults=faults,
        )

    def starts(self, state: State) -> Iterator[tuple[str, Start]]:
        alive = {process.identity.handles for process in state.alive}
        begun = dict(state.begun)
        for key, _ in state.queue:
            yield key, Start.STALLED if key in alive else Start.NOW
        check_at = state.fields(PATH).get("check_at")
        if check_at and check_at <= LOOK and begun.get(RECONCILE, 0) < MOST_RUNS:
            yield RECONCILE, Start.STALLED if RECONCILE in alive else Start.ANY_TIME
        if self.scenario.learnt_by_asking and LIBRARY not in begun:
            yield LIBRARY, Start.NOW

    async def program(self, identity: Identity, seam: Seam) -> object:
        current.set(identity)
        database = Database(seam)
        if identity.handles in {RECONCILE, LIBRARY}:
            with suppress(Unavailable):
                if identity.handles == RECONCILE:
                    await self._reconcile(seam, database)
                else:
                    await self._change(database, self._learnt)
            return None

        def now() -> datetime:
            return EPOCH + identity.number * BETWEEN_ATTEMPTS

        jobs = None if self.flaws.no_dispatcher_half else Jobs(database, lambda: LOOK)
        worker = Worker(SETTINGS, Deliveries(seam), Clients(seam), now, jobs)
        try:
            return await worker.handle(self.scenario.message(identity.handles))
        except Unavailable:
            return Outcome.UNFINISHED

    async def _reconcile(self, seam: Seam, database: Database) -> None:
        if self.flaws.reconcilers:
            await self._model(database)
            return
        scenario = self.scenario
        # As the query of what is due has found it.
        [found] = await database.read(PATH)
        assert found is not None
        job = Job(Record.of(JOB, found.fields), found.version)
        reconciler = Reconciler(
            RECONCILER,
            database,
            Ledger(seam, scenario.type),
            Ingress(seam),
            Gemini(scenario),
            lambda: LOOK,
        )
        await reconciler.look(job, scenario.answer if job.nameless_batch else None)

    async def _model(self, database: Database) -> None:
        if self.flaws.lookup_before_names:
            known = await self._lookup(database)
            await self._record_name(database)
        else:
            await self._record_name(database)
            known = not self.flaws.no_lookup and await self._lookup(database)
        if not known:
            data = self.scenario.message(self.scenario.ours).data
            await database.publish(INGRESS, data, {"ce-id": self.scenario.ours})
        await self._change(database, partial(self._looked, known))

    async def _record_name(self, database: Database) -> None:
        if await database.read(self.scenario.alias) == [None]:
            with suppress(Conflict):
                await database.commit(Write(self.scenario.alias, documents.alias(JOB)))

    async def _lookup(self, database: Database) -> bool:
        forms = names.forms(self.scenario.kind, self.scenario.name)
        return await database.known(forms, self.scenario.type)

    async def _change(self, database: Database, step: Callable[[Record], dict[str, Any]]) -> None:
        for _ in range(6):
            [found] = await database.read(PATH)
            assert found is not None
            fields = step(Record.of(JOB, found.fields))
            with suppress(Conflict):
                if fields:
                    await database.commit(Write(PATH, fields, found.version))
                return

    def _looked(self, known: bool, record: Record) -> dict[str, Any]:
        if self.scenario.action:
            return documents.asked_again(record, LOOK, status=self.scenario.word)
        fields = documents.ended(record, self.scenario.word, LOOK, announced=True)
        if known and self.flaws.reconciler_announces and not record.announced:
            fields["announced"] = {"end": {"by": self.scenario.ours}}
        return fields

    def _learnt(self, record: Record) -> dict[str, Any]:
        return documents.ended(record, self.scenario.word, LOOK, announced=False)

    def effect(self, state: State, call: Call) -> tuple[State, Reply]:
        effect: Callable[..., tuple[State, Reply]] = getattr(self, f"_{call.name}")
        return effect(state, *call.arguments)

    def _read(self, state: State, paths: tuple[str, ...]) -> tuple[State, Reply]:
        found = dict(state.documents)
        return state, Reply(tuple(found.get(path) for path in paths))

    def _query(
        self, state: State, subjects: tuple[str, ...], event_type: str
    ) -> tuple[State, Reply]:
        kind = self.scenario.kind
        sort = states.is_action if states.is_action(kind, event_type) else states.is_end
        known = any(
            each["subject"] in subjects and sort(kind, each["type"])
            for each in state.collection(DELIVERIES)
        )
        return state, Reply(known)

    def _publish(self, state: State, topic: str, key: str) -> tuple[State, Reply]:
        if topic == INGRESS:
            return replace(state, queue=added(state.queue, key, 1)), Reply()
        return replace(state, published=added(state.published, key, 1)), Reply()

    def _create(self, state: State, path: str, fields: Frozen) -> tuple[State, Reply]:
        return self._commit(state, ((path, fields, None),))

    def _update(self, state: State, path: str, fields: Frozen, version: int) -> tuple[State, Reply]:
        return self._commit(state, ((path, fields, version),))

    def _commit(self, state: State, writes: tuple[Frozen, ...]) -> tuple[State, Reply]:
        found = dict(state.documents)
        for path, fields, version in writes:
            before = found.get(path)
            trusting = self.flaws.unconditional and path == PATH
            if version != before and not trusting:
                return state, Reply(error="conflict")
            found[path] = changed(before, fields)
        return replace(state, documents=frozenset(found.items())), Reply(found[writes[0][0]])

    def apart(self, state: State, call: Call) -> bool:
        """Tell whether nobody but the workers of the same event can notice a call, or its time."""
        if call.name == "publish":
            return bool(call.arguments[0] != INGRESS)
        if call.name == "query":
            return False
        if call.name == "create":
            return not self._looks(state)
        named = call.arguments[0]
        paths = {"read": named, "update": [named]}.get(call.name) or [each[0] for each in named]
        return all(path.startswith(DELIVERIES) or self._stays(state, path) for path in paths)

    def _looks(self, state: State) -> bool:
        """Tell whether the reconciler may still look into the ledger of deliveries."""
        alive = any(process.identity.handles == RECONCILE for process in state.alive)
        return alive or any(handles == RECONCILE for handles, _ in self.starts(state))

    def _stays(self, state: State, path: str) -> bool:
        """Tell whether nothing will change a document any more."""
        fields = state.fields(path)
        if path != PATH:
            return bool(fields)
        return bool(fields["announced"].get("end")) and fields["check_at"] is None

    @property
    def wanted(self) -> int:
        """How many events must be fanned out: each question, and one end; ours if none came."""
        return max(1, len(self.scenario.genuine)) if self.scenario.action else 1

    def check(self, state: State, faults: int) -> str:
        """Return which promise is broken in the end, or an empty text."""
        copies = dict(state.published)
        if len(copies) > self.wanted:
            return DOUBLED
        if len(copies) < self.wanted:
            return LOST
        # Only a death or a failure around a publish repeats it, with the same id.
        assert sum(copies.values()) <= len(copies) + faults - state.faults
        assert not state.queue
        assert all(each["state"] == DONE for each in state.collection(DELIVERIES))
        if not self.scenario.action:
            job = state.fields(PATH)
            assert (job["state"], job["check_at"]) == (states.ENDED, None)
        return ""

    def explore(self, faults: int, kinds: Collection[Fault] = frozenset(Fault)) -> "Explored":
        """Follow every order, with so many faults of these kinds, until a promise is broken."""
        with Processes(self.program) as processes:
            explorer = Explorer(
                processes,
                self.effect,
                self.starts,
                self.apart,
                SETTLED.__contains__,
                frozenset(kinds),
            )
            explored = Explored()
            for state in explorer.ends(self.first(faults)):
                explored.ends += 1
                explored.broken = self.check(state, faults)
                if explored.broken:
                    explored.story = explorer.story(state)
                    break
            explored.states = len(explorer.came_from)
            return explored


@dataclass
class Explored:
    """How many states and ends there are, which promise is broken and how it comes about."""

    states: int = 0
    ends: int = 0
    broken: str = ""
    story: str = ""


INGRESS = "ingress"
DOUBLED, LOST = "doubled", "lost"
SETTLED = frozenset({Outcome.DONE, Outcome.DUPLICATE, Outcome.ABSORBED, Outcome.DEAD_LETTERED})

DEATHS = frozenset(Fault) - {Fault.FREEZE}

BATCH = Scenario("batch", "succeeded", ("evt_1",), identified=False, named=False)
ASKS = Scenario("interaction", states.REQUIRES_ACTION, ("evt_1",), identified=False, named=False)
MATCHED = [
    replace(BATCH, identified=identified, named=named)
    for identified, named in itertools.product((False, True), repeat=2)
]
OTHERS = [
    replace(BATCH, kind="video", word="generated"),
    replace(BATCH, kind="interaction", word="budget_exceeded", identified=True),
    replace(BATCH, learnt_by_asking=True),
    replace(BATCH, learnt_by_asking=True, named=True),
    replace(ASKS, genuine=("evt_1", "evt_2")),
    replace(ASKS, genuine=("evt_1", "evt_2"), identified=True),
]


def explored(
    scenario: Scenario,
    faults: int,
    kinds: Collection[Fault] = DEATHS,
    flaws: Flaws = Flaws(),
) -> Explored:
    return World(scenario, flaws).explore(faults, kinds)


@pytest.mark.parametrize("scenario", [*MATCHED, ASKS], ids=named)
def test_whoever_dies_at_whatever_step_nothing_is_doubled_or_lost(scenario: Scenario) -> None:
    for genuine in ((), scenario.genuine):
        found = explored(replace(scenario, genuine=genuine), faults=1)
        assert found.broken == "", found.story
        assert found.states > 100


def test_a_worker_that_is_frozen_past_its_lease_doubles_and_loses_nothing() -> None:
    found = explored(BATCH, faults=1, kinds={Fault.FREEZE})
    assert found.broken == "", found.story


@pytest.mark.parametrize("scenario", OTHERS, ids=named)
def test_in_no_order_is_anything_doubled_or_lost(scenario: Scenario) -> None:
    found = explored(scenario, faults=0)
    assert found.broken == "", found.story
    assert found.ends > 1


@pytest.mark.parametrize("scenario", [*MATCHED, ASKS], ids=named)
def test_without_the_dispatchers_half_there_are_doubles(scenario: Scenario) -> None:
    assert explored(scenario, faults=0, flaws=Flaws(no_dispatcher_half=True)).broken == DOUBLED


@pytest.mark.parametrize("scenario", [BATCH, ASKS], ids=named)
def test_without_the_reconcilers_half_there_are_doubles(scenario: Scenario) -> None:
    assert explored(scenario, faults=0, flaws=Flaws(no_lookup=True)).broken == DOUBLED


@pytest.mark.parametrize(
    ("flaws", "broken"),
    [
        (Flaws(lookup_before_names=True), DOUBLED),
        (Flaws(unconditional=True), DOUBLED),
        (Flaws(reconciler_announces=True), LOST),
    ],
    ids=["order", "precondition", "announcement"],
)
def test_each_other_mistake_shows(flaws: Flaws, broken: str) -> None:
    found = {explored(scenario, faults=0, flaws=flaws).broken for scenario in MATCHED}
    assert found - {""} == {broken}
