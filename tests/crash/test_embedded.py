"""The claim protocol over the real client libraries and the embedded Firestore and Pub/Sub.

A smaller run than over the model: it shows that the model says the same as the clients do, above
all when a reply is lost and the client tries again.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from localcloud.core.rpc import RpcError
from relay.dispatcher.claims import DONE, document_id
from relay.dispatcher.settings import Settings
from relay.dispatcher.worker import Outcome, Worker
from relay.errors import Unavailable
from relay.gcp.publisher import Publisher, create_publisher
from relay.gcp.store import FirestoreStore
from tests.crash.world import MESSAGE
from tests.support.emulated import Emulated, emulated, ledger_store
from tests.support.striking import Striker, When

TOPICS = ("gemini-webhooks-events", "blue")
CALLS = ["BatchWrite", "Publish", "Publish", "BatchWrite"]
ROUTES = json.dumps([{"name": "blue", "types": ["batch.*"], "topic": "blue"}])


class Stage:
    """A worker over the real clients, the emulators that it talks to, and its ledger."""

    def __init__(self, running: Emulated, store: FirestoreStore, publisher: Publisher) -> None:
        self.running = running
        self.store = store
        self.later = timedelta()
        parsed = Settings.read({**running.environ, "ROUTES": ROUTES})
        self.worker = Worker(parsed, store, publisher, self.now)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    async def push(self) -> Outcome | None:
        try:
            outcome = await self.worker.handle(MESSAGE)
        except Unavailable:
            return None
        return None if outcome is Outcome.UNFINISHED else outcome

    async def copies(self) -> list[int]:
        counts = []
        for topic in TOPICS:
            messages = await self.running.messages(topic)
            assert {attributes["ce-id"] for _, attributes in messages} == {"evt_1"}
            counts.append(len(messages))
        return counts

    async def check_done(self) -> None:
        found = await self.store.read(document_id("evt_1"))
        assert found is not None
        assert found.fields["state"] == DONE
        assert found.fields["routes_done"] == ["blue", "events"]


@asynccontextmanager
async def stage(striker: Striker) -> AsyncIterator[Stage]:
    async with emulated(striker.around) as running, ledger_store(running) as store:
        for topic in TOPICS:
            await running.topic(topic)
        publisher = create_publisher(running.environ)
        yield Stage(running, store, publisher)
        await publisher.close()


async def fail() -> None:
    raise RpcError(grpc.StatusCode.UNAVAILABLE, "as told")


async def deny() -> None:
    raise RpcError(grpc.StatusCode.PERMISSION_DENIED, "as told")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(len(CALLS)))
async def test_the_client_repeats_a_call_whose_reply_was_lost(number: int, when: When) -> None:
    striker = Striker(number, when, fail)
    async with stage(striker) as set_up:
        assert await set_up.push() is Outcome.DONE
        assert striker.struck
        await set_up.check_done()
        repeated = CALLS[number] == "Publish" and when == "after"
        assert sorted(await set_up.copies()) == ([1, 2] if repeated else [1, 1])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(len(CALLS)))
async def test_the_next_push_repeats_a_call_that_fails_for_good(number: int, when: When) -> None:
    striker = Striker(number, when, deny)
    async with stage(striker) as set_up:
        if await set_up.push() is None:
            # A lease that nobody could end is over by then.
            set_up.later = timedelta(minutes=3)
            assert await set_up.push() in {Outcome.DONE, Outcome.DUPLICATE}
        assert striker.struck
        await set_up.check_done()
        assert max(await set_up.copies()) <= 2


async def test_of_many_pushes_at_once_one_does_the_work() -> None:
    async with stage(Striker(-1, "before", fail)) as set_up:
        outcomes = await asyncio.gather(*(set_up.push() for _ in range(50)))
        assert outcomes.count(Outcome.DONE) == 1
        assert outcomes.count(Outcome.DUPLICATE) == 49
        assert await set_up.copies() == [1, 1]
        await set_up.check_done()
