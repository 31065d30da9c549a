"""One soak of jobs from start to account."""

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2

from gemini_relay import AsyncJobs, Job, StartUnknown
from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.core.serving import AppServer
from localcloud.gemini import Gemini, Settings
from localcloud.gemini.batches import Batch
from localcloud.gemini.catalogue import SUBSCRIBABLE
from localcloud.gemini.faults import Fault
from localcloud.gemini.interaction import Interaction
from localcloud.gemini.videos import Video
from localcloud.laptop.names import Names
from localcloud.laptop.provision import PushTimes, keep_signing_secret, provision
from relay.jobs.names import RELAY_JOB
from tests.soak.emulators import Emulators
from tests.soak.functions import Functions
from tests.soak.jobs.account import Account, Copy, Found, draw_up
from tests.soak.jobs.ledger import Ledgers
from tests.soak.jobs.plan import ZOMBIE, Task, tasks

if TYPE_CHECKING:
    from localcloud.gemini.deliveries import Delivery
    from localcloud.gemini.faults import FaultKind
    from localcloud.gemini.jobs import Fate
    from tests.soak.jobs.plan import Start

PROJECT = "soak-jobs"
DATABASE = "jobs"
NAMES = Names(PROJECT)
API_KEY = "soak"

_MODEL, _VEO = "gemini-3-flash-preview", "veo-3"
_PARALLEL = 8
_DISPATCHERS = 2
_ACKNOWLEDGE_SECONDS = 10
_PAST_DEADLINE, _PAST_HOPE = timedelta(hours=5), timedelta(hours=75)
_CREATIONS = {
    "interaction": "interactions.create",
    "batch": "batches.create",
    "video": "videos.create",
}
_LOOKUPS = ("interactions.get", "batches.get", "videos.get")


AnyJob = Interaction | Batch | Video


@dataclass(frozen=True, kw_only=True)
class Options:
    """How large a soak is: so many jobs, and a kill of each function per so many.

    `lease_seconds` is short, so that what a killed dispatcher held is soon taken up again, and
    longer than any event takes, so that nothing but a death ends a lease too early.
    """

    jobs: int = 2000
    seed: int = 1
    jobs_per_kill: int = 100
    lease_seconds: int = 20


class Journal:
    """What was published to the events topic.

    The dispatchers are killed within some publishes, once the message is stored, and before they
    are told so: what they have done is then not recorded.
    """

    def __init__(self, every: int) -> None:
        self.copies: list[Copy] = []
        self._every = self._next = every
        self._functions: Functions | None = None
        self._killing: set[asyncio.Task[None]] = set()

    def strike(self, functions: Functions) -> None:
        """Kill the dispatchers of these functions from now on."""
        self._functions = functions

    async def store(self, request: Any) -> None:
        """Enter the messages of a `PublishRequest` that has taken effect."""
        if request.topic != NAMES.events:
            return
        for message in request.messages:
            attributes = message.attributes
            identifier, event_type = attributes["ce-id"], attributes["ce-type"]
            self.copies.append(Copy(identifier, event_type, attributes["job"], time.monotonic()))
        if self._functions and len(self.copies) >= self._next:
            self._next += self._every
            # The call dies with its caller, and those who kill must not die with it.
            killing = asyncio.create_task(self._functions.kill_all("dispatch"))
            self._killing.add(killing)
            await asyncio.shield(killing)

    async def settled(self) -> None:
        """Return once everybody who was killed runs again."""
        await asyncio.gather(*self._killing)


class Soak:
    """A soak under way."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._tasks = tasks(options.jobs, options.seed)
        self._journal = Journal(options.jobs_per_kill)
        self._emulators = Emulators(self._journal.store)
        self._ledgers = Ledgers(self._emulators.firestore, PROJECT, DATABASE)
        self._functions = Functions({"receive": 1, "dispatch": _DISPATCHERS, "reconcile": 1}, 0.0)
        settings = Settings(
            retry_initial_seconds=0.2,
            retry_maximum_seconds=2.0,
            disable_after_failed_attempts=10**9,
            max_jobs=options.jobs + 1,
            max_requests_kept=10**6,
        )
        self._gemini = Gemini(SystemClock(), settings)
        self._ids: dict[int, str] = {}
        self._running: dict[str, AnyJob] = {}
        self._late: list[Delivery] = []
        self._reconciled: Counter[str] = Counter()
        self._dying = True

    def progress(self) -> str:
        """Return how far it is, in a line."""
        counts = ", ".join(f"{name} {count:,}" for name, count in self._reconciled.items())
        copies, deaths = len(self._journal.copies), len(self._functions.deaths)
        return (
            f"{len(self._ids):,} of {len(self._tasks):,} jobs started, {copies:,} events published,"
            f" {deaths:,} deaths; reconciled: {counts}"
        )

    async def run(self) -> Account:
        """Run it to the end."""
        async with contextlib.AsyncExitStack() as unwinding:
            unwinding.push_async_callback(self._emulators.close)
            listener = await rpc.listen(self._emulators.services)
            unwinding.push_async_callback(listener.stop)
            server = await unwinding.enter_async_context(AppServer(self._gemini.app))
            unwinding.push_async_callback(self._gemini.close)
            environ = self._environ(listener.address, server.url)
            await self._functions.start(environ, unwinding)
            await unwinding.enter_async_context(self._wired(listener.address))
            began = time.monotonic()
            self._journal.strike(self._functions)
            client = await unwinding.enter_async_context(
                httpx2.AsyncClient(timeout=None, trust_env=False)
            )
            async with AsyncJobs.from_environ(environ["reconcile"]) as library:
                await self._live(library, client)
            return await self._account(time.monotonic() - began)

    def _environ(self, host: str, gemini_url: str) -> Mapping[str, Mapping[str, str]]:
        common = {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": host,
            "FIRESTORE_EMULATOR_HOST": host,
            "SECRET_MANAGER_EMULATOR_HOST": host,
            "INGRESS_TOPIC": NAMES.ingress,
        }
        receive = {"SIGNING_SECRET": NAMES.signing_secret, "SCHEMES": "v1"}
        dispatch = {
            "EVENTS_TOPIC": NAMES.events,
            "DEAD_LETTER_TOPIC": NAMES.dead_letter,
            "JOBS_DATABASE": DATABASE,
            "LEASE_SECONDS": str(self._options.lease_seconds),
        }
        reconcile = {
            "JOBS_DATABASE": DATABASE,
            "GEMINI_API_KEY": API_KEY,
            "GOOGLE_GEMINI_BASE_URL": gemini_url,
            "PER_SECOND": "100",
            "BUDGET_SECONDS": "60",
        }
        own = {"receive": receive, "dispatch": dispatch, "reconcile": reconcile}
        return {name: {**common, **variables} for name, variables in own.items()}

    @contextlib.asynccontextmanager
    async def _wired(self, host: str) -> AsyncIterator[None]:
        """Register the webhook, and push what the receiver stores to the dispatchers."""
        [receiver], dispatchers = self._functions.urls("receive"), self._functions.urls("dispatch")
        created = self._gemini.webhooks.create(
            {"uri": receiver, "subscribed_events": list(SUBSCRIBABLE)}
        )
        await keep_signing_secret(NAMES, host, created["new_signing_secret"])
        self._emulators.balancer.urls = dispatchers
        times = PushTimes(_ACKNOWLEDGE_SECONDS, minimum_backoff=0.1, maximum_backoff=1.0)
        async with provision(NAMES, host, endpoint=dispatchers[0], times=times):
            yield

    async def _live(self, library: AsyncJobs, client: httpx2.AsyncClient) -> None:
        """Let everything happen that happens to jobs, the reconciler at work all the time."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._die())
            starting = group.create_task(self._start_and_end(library))
            await self._reconcile_until(starting, client)
            await self._pass_over(client)
            for task in self._tasks:
                if task.asks:
                    self._advance(task, task.end)
            await self._pass_over(client)
            self._send_late()
            await self._pass_over(client)
            self._dying = False
        self._gemini.gate.faults.clear()
        await self._pass_over(client)
        for age in (_PAST_DEADLINE, _PAST_HOPE):
            await self._ledgers.age(age)
            await self._pass_over(client)
        await self._journal.settled()

    # Starting and ending

    async def _start_and_end(self, library: AsyncJobs) -> None:
        for fault in (*_faults_of_lookups(len(self._tasks)), *_faults_of_starts(self._tasks)):
            self._gemini.gate.faults.add(fault)
        planned = iter(tuple(self._tasks))

        async def work() -> None:
            for task in planned:
                try:
                    job = await self._started(library, task)
                except StartUnknown:
                    await self._become_unknown(library, task)
                    continue
                self._ids[task.number] = job.id
                self._running[job.id] = self._found(task, str(job.name))
                self._end(task)

        async with asyncio.TaskGroup() as group:
            for _ in range(_PARALLEL):
                group.create_task(work())

    async def _become_unknown(self, library: AsyncJobs, task: Task) -> None:
        """Go on with a job whose start is unknown, and expect of it what can be."""
        # Once more under the same key: that posts nothing, and may tell that the job runs.
        try:
            job = await self._started(library, task)
        except StartUnknown as unknown:
            job = unknown.job
        self._ids[task.number] = job.id
        started = self._started_for().get(job.id, [])
        named = (await self._ledgers.jobs())[job.id].name
        start: Start = "known" if named else "lost-reply" if started else "lost-request"
        task = self._tasks[task.number] = replace(task, start=start, asks=False)
        for each in started[:1]:
            self._running[job.id] = each
            self._end(task)

    async def _started(self, library: AsyncJobs, task: Task) -> Job:
        deadline = timedelta(hours=4) if task.overdue else None
        given: Any = {"key": task.key, "metadata": {"team": "blue"}, "deadline": deadline}
        if task.kind == "interaction":
            return await library.interaction(input="Hello", model=_MODEL, **given)
        if task.kind == "batch":
            return await library.batch(model=_MODEL, src="files/input", **given)
        return await library.video(model=_VEO, prompt="A cat", **given)

    def _end(self, task: Task) -> None:
        if task.asks:
            self._advance(task, "requires_action")
        elif task.end != ZOMBIE:
            self._advance(task, task.end)

    def _advance(self, task: Task, state: str) -> None:
        job = self._running[self._ids[task.number]]
        fate: Fate = "lost" if task.fate == "late" else task.fate
        if isinstance(job, Interaction):
            self._gemini.jobs.interactions.advance(job, state, fate=fate)
        elif isinstance(job, Batch):
            self._gemini.jobs.batches.advance(job, state, fate=fate)
        else:
            self._gemini.jobs.videos.advance(job, state, fate=fate)
        if task.fate == "late" and (state == "requires_action" or task.announced):
            self._late.append([*self._gemini.account][-1])

    def _found(self, task: Task, name: str) -> AnyJob:
        api, identifier = self._gemini.jobs, name.rpartition("/")[2]
        match task.kind:
            case "interaction":
                return api.interactions.find(identifier)
            case "batch":
                return api.batches.jobs.find(identifier)
            case "video":
                return api.videos.jobs.find(identifier)

    def _started_for(self) -> Mapping[str, Sequence[AnyJob]]:
        """Return what Gemini has started for each job of ours."""
        api, found = self._gemini.jobs, defaultdict(list)
        for job in (*api.interactions.jobs, *api.batches.jobs, *api.videos.jobs):
            proof = (job.config.user_metadata or {}).get(RELAY_JOB, "")
            found[str(proof).partition(".")[0]].append(job)
        return found

    def _send_late(self) -> None:
        """Send the webhooks that were held back: the reconciler had its say on all of them."""
        for delivery in self._late:
            delivery.state = "pending"
            self._gemini.courier.send(delivery)

    # The reconciler, and the deaths

    async def _reconcile_until(
        self, done: "asyncio.Task[None]", client: httpx2.AsyncClient
    ) -> None:
        while not done.done():
            await self._pass(client)

    async def _pass_over(self, client: httpx2.AsyncClient) -> None:
        """Return once a whole run of the reconciler finds nothing new, and all is delivered."""
        while True:
            counts = await self._pass(client)
            await self._quiet()
            if counts and not any(counts[name] for name in ("left", "failed", "announced")):
                return

    async def _quiet(self) -> None:
        while self._gemini.account.pending() or self._emulators.pubsub.backlog(NAMES.dispatch):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def _pass(self, client: httpx2.AsyncClient) -> Mapping[str, int]:
        """Make all jobs due, and have the reconciler run once; nothing where it did not finish."""
        await self._ledgers.hurry()
        [url] = self._functions.urls("reconcile")
        try:
            answer = await client.post(url)
        except httpx2.HTTPError:
            # Killed. Its lease is over once so much time has passed.
            await self._ledgers.end_leases()
            self._reconciled["cut short"] += 1
            return {}
        self._reconciled[str(answer.status_code)] += 1
        if answer.status_code != 200:
            await asyncio.sleep(0.1)
            return {}
        counts: dict[str, int] = answer.json()
        self._reconciled.update(counts)
        return counts

    async def _die(self) -> None:
        """Kill the receiver and the reconciler, again and again, as events are fanned out."""
        every = self._options.jobs_per_kill
        for count in range(every // 2, self._options.jobs, every):
            while len(self._journal.copies) < count:
                if not self._dying:
                    return
                # The journal tells only when asked.
                await asyncio.sleep(0.05)
            name = ("reconcile-1", "receive-1")[count // every % 2]
            await self._functions.strike(name, "kill")

    # The account

    async def _account(self, seconds: float) -> Account:
        deliveries = await self._ledgers.deliveries()
        deaths = self._functions.deaths
        found = Found(
            jobs=await self._ledgers.jobs(),
            copies=self._journal.copies,
            started={job: len(started) for job, started in self._started_for().items()},
            deaths=[at for name, at in deaths if name.startswith("dispatch")],
            absorbed=deliveries.absorbed,
            undone=deliveries.undone,
            dead_letters=self._emulators.pubsub.published_count(NAMES.dead_letter),
            owed=self._emulators.pubsub.backlog(NAMES.dispatch),
            tracebacks=self._functions.tracebacks,
        )
        lookups = Counter(
            str(call.status) for call in self._gemini.gate.log if call.operation in _LOOKUPS
        )
        return draw_up(
            self._tasks,
            self._ids,
            found,
            kills=Counter(name.partition("-")[0] for name, _ in deaths),
            reconciled_counts=self._reconciled,
            lookups=lookups,
            seconds=seconds,
        )


def _faults_of_lookups(jobs: int) -> Iterator[Fault]:
    yield Fault(_LOOKUPS[0], "error-before", status=429, skip=5)
    for number, lookup in enumerate(_LOOKUPS * (1 + jobs // 50)):
        yield Fault(lookup, "error-before", status=(503, 500, 404)[number % 3], skip=7 * number)


def _faults_of_starts(planned: Sequence[Task]) -> Iterator[Fault]:
    """Yield what makes the starts of 3 % of the jobs of each kind unknown, every third in vain."""
    for kind, operation in _CREATIONS.items():
        jobs = sum(task.kind == kind for task in planned)
        faults = max(3, round(0.03 * jobs))
        for number in range(faults):
            fault: FaultKind = "lost-request" if number % 3 == 2 else "lost-reply"
            yield Fault(operation, fault, skip=number * (jobs // faults))
