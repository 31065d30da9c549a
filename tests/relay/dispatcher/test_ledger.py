import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.dispatcher.claims import CLAIMED, DEAD_LETTERED, DONE, Terms, Verdict, document_id
from relay.dispatcher.event import Event
from relay.dispatcher.ledger import Claim, Ending, Ledger
from relay.gcp.store import Conflict, LedgerUnavailable
from tests.relay.dispatcher.test_claims import EVENT
from tests.support.documents import MemoryStore

DOCUMENT = document_id(EVENT.key)
# So short that looking again takes no time worth mentioning.
TERMS = Terms(lease=timedelta(milliseconds=100))


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2027, 1, 15, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(store: MemoryStore, clock: Clock) -> Ledger:
    return Ledger(store, TERMS, clock)


async def claimed(ledger: Ledger, event: Event = EVENT) -> Claim:
    claim = await ledger.claim(event, float("inf"))
    assert isinstance(claim, Claim)
    return claim


def fields(store: MemoryStore) -> Mapping[str, Any]:
    found = store.documents.read(DOCUMENT)
    assert found is not None
    return found.fields


def lose_reply(store: MemoryStore, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply the next call of a method, and tell the caller what its client's retry is told."""
    original: Callable[..., Awaitable[Any]] = getattr(store, method)

    async def lossy(*arguments: Any) -> Any:
        monkeypatch.setattr(store, method, original)
        await original(*arguments)
        raise Conflict("reply lost")

    monkeypatch.setattr(store, method, lossy)


async def test_an_event_takes_two_writes(ledger: Ledger, store: MemoryStore) -> None:
    claim = await claimed(ledger)
    assert await ledger.end(claim, DONE, ["events"]) is Ending.RECORDED
    assert store.calls == ["create", "update"]
    assert fields(store)["state"] == DONE
    assert fields(store)["routes_done"] == ["events"]


async def test_a_duplicate_takes_one_refused_write_and_one_read(
    ledger: Ledger, store: MemoryStore
) -> None:
    await ledger.end(await claimed(ledger), DONE, ["events"])
    store.calls.clear()
    assert await ledger.claim(EVENT, float("inf")) is Verdict.DUPLICATE
    assert store.calls == ["create", "read"]


async def test_a_live_claim_is_read_again_until_patience_ends(
    ledger: Ledger, store: MemoryStore
) -> None:
    await claimed(ledger)
    store.calls.clear()
    assert await ledger.claim(EVENT, float("inf")) is Verdict.BUSY
    assert store.calls == ["create", *["read"] * 5]


async def test_work_that_another_worker_finishes_is_a_duplicate(
    ledger: Ledger, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await claimed(ledger)
    original = store.read

    async def read(document: str) -> Any:
        monkeypatch.setattr(store, "read", original)
        found = await original(document)
        await ledger.end(claim, DONE, ["events"])
        return found

    monkeypatch.setattr(store, "read", read)
    assert await ledger.claim(EVENT, float("inf")) is Verdict.DUPLICATE


async def test_an_expired_lease_is_taken_over(ledger: Ledger, clock: Clock) -> None:
    first = await claimed(ledger)
    clock.advance(seconds=1)
    second = await claimed(ledger)
    assert second.attempt == 2
    assert await ledger.end(first, DONE, ["events"]) is Ending.LOST
    assert await ledger.end(second, DONE, ["events"]) is Ending.RECORDED
    assert await ledger.end(first, DONE, ["events"]) is Ending.ALREADY_DONE


async def test_nothing_is_taken_over_after_the_deadline(ledger: Ledger, clock: Clock) -> None:
    await claimed(ledger)
    clock.advance(seconds=1)
    now = asyncio.get_running_loop().time()
    assert await ledger.claim(EVENT, now) is Verdict.BUSY


async def test_an_ended_claim_keeps_its_progress(ledger: Ledger) -> None:
    first = await claimed(ledger)
    assert await ledger.end(first, CLAIMED, ["blue"]) is Ending.RECORDED
    assert (await claimed(ledger)).routes_done == ("blue",)


async def test_a_dead_lettered_event_resumes_when_delivered_again(ledger: Ledger) -> None:
    await ledger.end(await claimed(ledger), DEAD_LETTERED, ["blue"])
    assert (await claimed(ledger)).routes_done == ("blue",)


async def test_after_the_retention_an_event_is_new(ledger: Ledger, clock: Clock) -> None:
    await ledger.end(await claimed(ledger), DONE, ["events"])
    clock.advance(days=7)
    assert (await claimed(ledger)).routes_done == ()


@pytest.mark.parametrize("lost", ["create", "update"])
async def test_a_claim_whose_reply_was_lost_is_still_ours(
    ledger: Ledger,
    store: MemoryStore,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    if lost == "update":
        await claimed(ledger)
        clock.advance(seconds=1)
    lose_reply(store, lost, monkeypatch)
    claim = await claimed(ledger)
    assert await ledger.end(claim, DONE, ["events"]) is Ending.RECORDED


async def test_an_end_whose_reply_was_lost_is_done(
    ledger: Ledger, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await claimed(ledger)
    lose_reply(store, "update", monkeypatch)
    assert await ledger.end(claim, DONE, ["events"]) is Ending.ALREADY_DONE


async def test_an_ended_claim_whose_reply_was_lost_is_recorded(
    ledger: Ledger, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await claimed(ledger)
    lose_reply(store, "update", monkeypatch)
    assert await ledger.end(claim, CLAIMED, ["events"]) is Ending.RECORDED
    assert store.calls == ["create", "update", "read", "update"]


async def test_an_end_that_conflicts_twice_is_lost(
    ledger: Ledger, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await claimed(ledger)

    async def conflict(*_arguments: Any) -> None:
        raise Conflict("FailedPrecondition")

    monkeypatch.setattr(store, "update", conflict)
    assert await ledger.end(claim, DONE, ["events"]) is Ending.LOST


async def test_a_document_deleted_between_reads_is_created_again(
    ledger: Ledger, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await claimed(ledger)
    original = store.read

    async def read(document: str) -> Any:
        monkeypatch.setattr(store, "read", original)
        store.documents.delete(document)
        return await original(document)

    monkeypatch.setattr(store, "read", read)
    assert (await claimed(ledger)).attempt == 1
    store.documents.delete(DOCUMENT)
    assert await ledger.end(first, DONE, ["events"]) is Ending.LOST


async def test_one_of_many_concurrent_claims_wins(ledger: Ledger, store: MemoryStore) -> None:
    outcomes = await asyncio.gather(*(ledger.claim(EVENT, float("inf")) for _ in range(50)))
    assert sum(isinstance(outcome, Claim) for outcome in outcomes) == 1
    assert store.calls.count("create") == 50


async def test_one_of_many_concurrent_takeovers_wins(ledger: Ledger, clock: Clock) -> None:
    await claimed(ledger)
    clock.advance(seconds=1)
    outcomes = await asyncio.gather(*(ledger.claim(EVENT, float("inf")) for _ in range(50)))
    assert sum(isinstance(outcome, Claim) for outcome in outcomes) == 1


async def test_an_unavailable_store_is_reported(
    ledger: Ledger, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_arguments: Any) -> None:
        raise LedgerUnavailable("ledger-ServiceUnavailable")

    monkeypatch.setattr(store, "create", away)
    with pytest.raises(LedgerUnavailable):
        await ledger.claim(EVENT, float("inf"))


def test_a_claim_prints_without_its_version() -> None:
    assert "version" not in repr(Claim("d", "o", 1, (), object()))
