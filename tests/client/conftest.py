"""The library against the Gemini simulator and the embedded Firestore, on a clock of its own."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx2
import pytest
from google.cloud.firestore import AsyncClient

from gemini_relay import AsyncJobs
from gemini_relay.clock import Clock
from gemini_relay.settings import Settings
from localcloud import gemini as simulator
from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.firestore import Firestore
from localcloud.gemini.faults import Fault
from tests.support.serving import serving

API_KEY = "AIza-test-key"
PROJECT = "my-project"
DATABASE = "gemini-jobs"

Step = Callable[[], None]


@dataclass
class FakeClock:
    """A clock that moves only where somebody sleeps; `steps` happen, one by one, at each sleep."""

    time: datetime = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, monotonic=self.monotonic, sleep=self.sleep)

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        if self.steps:
            self.steps.pop(0)()
        await asyncio.sleep(0)


@dataclass
class World:
    """A simulator, a database for the ledger, and the library between them."""

    gemini: simulator.Gemini
    base_url: str
    firestore_host: str
    time: FakeClock
    jobs: AsyncJobs
    calls: Counter[str]
    refusals: list[tuple[str, grpc.StatusCode]] = field(default_factory=list)
    """The method and status of calls to Firestore that are refused next."""

    def fault(self, operation: str, kind: Any, **more: Any) -> None:
        self.gemini.gate.faults.add(Fault(operation, kind, **more))

    def posts(self) -> list[str]:
        """Return the operations that started something."""
        return [
            each.operation for each in self.gemini.gate.log if each.operation.endswith("create")
        ]

    def end(self, name: str | None, status: str, **more: Any) -> None:
        """Take an interaction to a state."""
        interactions = self.gemini.jobs.interactions
        interactions.advance(interactions.find(str(name)), status, **more)

    def environ(self, **more: str) -> dict[str, str]:
        return {
            "GEMINI_API_KEY": API_KEY,
            "GOOGLE_GEMINI_BASE_URL": self.base_url,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "JOBS_DATABASE": DATABASE,
            "FIRESTORE_EMULATOR_HOST": self.firestore_host,
            **more,
        }

    def elsewhere(self, **more: Any) -> AsyncJobs:
        """Return the library as another process has it; `more` goes to it."""
        chosen = Settings.of(self.environ())
        return AsyncJobs(chosen, **{"clock": self.time.clock(), **more})

    async def documents(self, collection: str = "jobs") -> dict[str, Mapping[str, Any]]:
        """Return what lies in the ledger, by document id."""
        async with firestore(self.firestore_host) as client:
            return {
                each.id: each.to_dict() or {}
                async for each in client.collection(collection).stream()
            }

    async def write(self, job: str, fields: Mapping[str, Any]) -> None:
        """Change a document as the dispatcher would."""
        async with firestore(self.firestore_host) as client:
            await client.collection("jobs").document(job).update(dict(fields))


@contextlib.asynccontextmanager
async def firestore(host: str) -> AsyncIterator[AsyncClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", host)
        client = AsyncClient(project=PROJECT, database=DATABASE)
    yield client
    await client._firestore_api.transport.close()


@contextlib.asynccontextmanager
async def running(
    settings: simulator.Settings | None = None, *, ledger: bool = True, **more: Any
) -> AsyncIterator[World]:
    """Run a world while the block lasts; `more` goes to the library's settings."""
    gemini = simulator.Gemini(
        settings=settings or simulator.Settings(api_keys=frozenset({API_KEY})),
        transport=httpx2.MockTransport(lambda _request: httpx2.Response(200)),
    )
    calls: Counter[str] = Counter()

    refusals: list[tuple[str, grpc.StatusCode]] = []

    async def count(call: rpc.Call) -> None:
        method = call.method.rpartition("/")[2]
        calls[method] += 1
        if refusals and refusals[0][0] == method:
            raise rpc.RpcError(refusals.pop(0)[1], "refused by a test")

    listener = await rpc.listen(Firestore(SystemClock()).services, guard=count)
    time = FakeClock()
    async with serving(gemini.app) as url:
        chosen = Settings(
            api_key=API_KEY,
            base_url=url,
            project=PROJECT,
            database=DATABASE if ledger else "",
            emulator=listener.address,
            **more,
        )
        async with AsyncJobs(chosen, clock=time.clock()) as jobs:
            yield World(gemini, url, listener.address, time, jobs, calls, refusals)
    await gemini.close()
    await listener.stop()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as made:
        yield made


@pytest.fixture
async def alone() -> AsyncIterator[World]:
    """A world without a ledger."""
    async with running(ledger=False) as made:
        yield made
