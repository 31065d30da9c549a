import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.cloud.firestore_v1.types import WriteResult
from google.rpc.status_pb2 import Status

from localcloud.core.rpc import Call, RpcError
from relay.errors import Unavailable
from relay.gcp.batches import Limits
from relay.gcp.channels import opener
from relay.gcp.store import Conflict, FirestoreStore, LedgerUnavailable
from tests.support.emulated import (
    PROJECT,
    Emulated,
    Services,
    emulated,
    firestore_client,
    ledger_store,
)

DATABASE = f"projects/{PROJECT}/databases/(default)"
FIELDS = {"state": "claimed", "at": datetime(2027, 1, 15, 8, tzinfo=UTC), "routes": ["a"]}


@pytest.fixture
async def running() -> AsyncIterator[Emulated]:
    async with emulated() as pair:
        yield pair


@pytest.fixture
async def store(running: Emulated) -> AsyncIterator[FirestoreStore]:
    async with ledger_store(running) as made:
        yield made


@dataclass
class Behaviour:
    """What becomes of `BatchWrite`: held at the gate, or one write refused once, as contended."""

    contended: str = ""
    holding: bool = False
    called: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[list[str]] = field(default_factory=list)

    def around(self, services: Services) -> Services:
        methods = services["google.firestore.v1.Firestore"]
        method = methods["BatchWrite"]

        async def batch_write(request: Any) -> Any:
            documents = [write.update.name.rpartition("/")[2] for write in request.writes]
            self.calls.append(documents)
            self.called.set()
            if self.holding:
                await self.gate.wait()
            if self.contended not in documents:
                return await method.handler(request)
            at = documents.index(self.contended)
            self.contended = ""
            del request.writes[at]
            reply = await method.handler(request)
            reply.write_results.insert(at, WriteResult.pb()())
            reply.status.insert(at, Status(code=grpc.StatusCode.ABORTED.value[0]))
            return reply

        changed = {**methods, "BatchWrite": replace(method, handler=batch_write)}
        return {**services, "google.firestore.v1.Firestore": changed}


def failing(code: grpc.StatusCode, *, method: str = "", times: int = 1_000_000) -> object:
    """A guard that fails calls of a method, so many times."""
    left = times

    def guard(call: Call) -> None:
        nonlocal left
        if call.method.endswith(method) and left > 0:
            left -= 1
            raise RpcError(code, "as told")

    return guard


async def test_a_document_is_created_once(store: FirestoreStore, running: Emulated) -> None:
    await store.create("d", FIELDS)
    with pytest.raises(Conflict, match="AlreadyExists"):
        await store.create("d", FIELDS)
    assert running.calls == {"BatchWrite": 2}


async def test_a_document_reads_as_it_was_written(store: FirestoreStore) -> None:
    await store.create("d", FIELDS)
    found = await store.read("d")
    assert found is not None
    assert found.fields == FIELDS
    assert await store.read("another") is None


async def test_updates_follow_each_other(store: FirestoreStore) -> None:
    created = await store.create("d", FIELDS)
    updated = await store.update("d", {"state": "done"}, created)
    with pytest.raises(Conflict, match="FailedPrecondition"):
        await store.update("d", {"state": "late"}, created)
    await store.update("d", {"routes": []}, updated)
    found = await store.read("d")
    assert found is not None
    assert found.fields == {**FIELDS, "state": "done", "routes": []}
    await store.update("d", {"state": "again"}, found.version)


async def test_updating_a_missing_document_is_a_conflict(
    store: FirestoreStore, running: Emulated
) -> None:
    version = await store.create("d", FIELDS)
    async with firestore_client(running) as client:
        await client.document("deliveries", "d").delete()
    with pytest.raises(Conflict):
        await store.update("d", {"state": "done"}, version)


async def test_one_of_many_concurrent_creates_wins(store: FirestoreStore) -> None:
    outcomes = await asyncio.gather(
        *(store.create("d", {"n": n}) for n in range(100)), return_exceptions=True
    )
    assert sum(not isinstance(outcome, Conflict) for outcome in outcomes) == 1


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
    ],
)
async def test_a_transient_error_is_retried(
    store: FirestoreStore, running: Emulated, code: grpc.StatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "guard", failing(code, times=1))
    await store.create("d", FIELDS)
    assert running.calls["BatchWrite"] == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND])
async def test_a_permanent_error_is_reported_at_once(
    store: FirestoreStore, running: Emulated, code: grpc.StatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "guard", failing(code))
    with pytest.raises(LedgerUnavailable, match="ledger-"):
        await store.create("d", FIELDS)
    with pytest.raises(LedgerUnavailable, match="ledger-"):
        await store.read("d")
    assert running.calls["BatchWrite"] == 1


async def test_a_lasting_transient_error_is_reported_in_time(
    store: FirestoreStore, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.gcp.store.CALL_SECONDS", 0.2)
    monkeypatch.setattr(running, "guard", failing(grpc.StatusCode.UNAVAILABLE))
    with pytest.raises(LedgerUnavailable, match="ledger-"):
        await store.create("d", FIELDS)


async def test_missing_credentials_are_reported() -> None:
    async def refuse() -> grpc.aio.Channel:
        raise Unavailable("credentials")

    store = FirestoreStore(refuse, DATABASE, "deliveries")
    with pytest.raises(LedgerUnavailable, match="credentials"):
        await store.read("d")
    with pytest.raises(LedgerUnavailable, match="credentials"):
        await store.create("d", FIELDS)


async def test_an_empty_reply_to_a_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def around(services: Services) -> Services:
        async def nothing(_request: Any) -> AsyncIterator[Any]:
            replies: list[Any] = []
            for reply in replies:
                yield reply

        methods = services["google.firestore.v1.Firestore"]
        silent = replace(methods["BatchGetDocuments"], handler=nothing)
        return {"google.firestore.v1.Firestore": {**methods, "BatchGetDocuments": silent}}

    monkeypatch.setattr("relay.gcp.store.CALL_SECONDS", 0.2)
    async with emulated(around) as running, ledger_store(running) as store:
        with pytest.raises(LedgerUnavailable):
            await store.read("d")
        assert running.calls["BatchGetDocuments"] > 0


async def test_writes_that_arrive_together_share_a_call(
    store: FirestoreStore, running: Emulated
) -> None:
    versions = await asyncio.gather(*(store.create(f"d{n}", {"n": n}) for n in range(20)))
    assert running.calls == {"BatchWrite": 1}
    await asyncio.gather(
        *(store.update(f"d{n}", {"n": -n}, version) for n, version in enumerate(versions))
    )
    assert running.calls == {"BatchWrite": 2}
    for n in (0, 7, 19):
        found = await store.read(f"d{n}")
        assert found is not None
        assert found.fields == {"n": -n}


async def test_each_write_of_a_call_is_refused_on_its_own(
    store: FirestoreStore, running: Emulated
) -> None:
    version = await store.create("old", FIELDS)
    changed = await store.update("old", {"state": "done"}, version)
    await store.create("late", FIELDS)
    running.calls.clear()
    outcomes = await asyncio.gather(
        store.create("new", FIELDS),
        store.create("late", FIELDS),
        store.update("old", {"state": "lost"}, version),
        store.update("none", {"state": "lost"}, version),
        store.create("newer", FIELDS),
        return_exceptions=True,
    )
    assert all(isinstance(each, Conflict) for each in outcomes[1:4])
    assert running.calls == {"BatchWrite": 1}
    for written, document in ((outcomes[0], "new"), (changed, "old"), (outcomes[4], "newer")):
        found = await store.read(document)
        assert found is not None
        assert found.version == written


async def test_a_contended_write_is_retried_on_its_own() -> None:
    behaviour = Behaviour(contended="hot")
    async with emulated(behaviour.around) as running, ledger_store(running) as store:
        await asyncio.gather(*(store.create(name, FIELDS) for name in ("a", "hot", "b")))
        assert behaviour.calls == [["a", "hot", "b"], ["hot"]]
        assert await store.read("hot")


async def test_a_refused_call_does_not_fail_its_valid_writes(
    store: FirestoreStore, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guard(call: Call) -> None:
        request: Any = call.request
        if any(write.update.name.endswith("/bad") for write in request.writes):
            raise RpcError(grpc.StatusCode.INVALID_ARGUMENT, "a bad write")

    monkeypatch.setattr(running, "guard", guard)
    good, bad, other = await asyncio.gather(
        store.create("good", FIELDS),
        store.create("bad", FIELDS),
        store.create("other", FIELDS),
        return_exceptions=True,
    )
    assert isinstance(bad, LedgerUnavailable)
    assert not isinstance(good, Exception)
    assert not isinstance(other, Exception)
    assert running.calls == {"BatchWrite": 4}


async def test_a_missing_database_is_not_a_conflict(
    store: FirestoreStore, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await store.create("d", FIELDS)
    monkeypatch.setattr(running, "guard", failing(grpc.StatusCode.NOT_FOUND))
    with pytest.raises(LedgerUnavailable, match="NotFound"):
        await store.update("d", {"state": "done"}, version)


async def test_a_read_is_retried(
    store: FirestoreStore, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "guard", failing(grpc.StatusCode.UNAVAILABLE, times=1))
    assert await store.read("d") is None
    assert running.calls == {"BatchGetDocuments": 2}


async def test_an_abandoned_write_is_not_sent() -> None:
    behaviour = Behaviour(holding=True)
    async with emulated(behaviour.around) as running:
        store = FirestoreStore(opener("", running.address), DATABASE, "deliveries", Limits(calls=1))
        first = asyncio.create_task(store.create("first", FIELDS))
        await behaviour.called.wait()
        late = asyncio.create_task(store.create("late", FIELDS))
        last = asyncio.create_task(store.create("last", FIELDS))
        await asyncio.sleep(0)
        late.cancel()
        behaviour.gate.set()
        await asyncio.gather(first, last)
        await store.close()
    assert behaviour.calls == [["first"], ["last"]]


async def test_a_cancelled_write_leaves_others_in_its_call_alone() -> None:
    behaviour = Behaviour(holding=True)
    async with emulated(behaviour.around) as running, ledger_store(running) as store:
        impatient, other = (asyncio.create_task(store.create(name, FIELDS)) for name in "ab")
        await behaviour.called.wait()
        impatient.cancel()
        behaviour.gate.set()
        assert await other


async def test_closing_ends_calls_in_flight() -> None:
    behaviour = Behaviour(holding=True)
    async with emulated(behaviour.around) as running, ledger_store(running) as store:
        waiting = asyncio.create_task(store.create("d", FIELDS))
        await behaviour.called.wait()
        await store.close()
        with pytest.raises(LedgerUnavailable, match="Cancelled"):
            await waiting
        behaviour.gate.set()
