import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import pytest
from google.auth.exceptions import RefreshError

from hooks.local.rpc import Call, RpcError
from relay.store import Conflict, FirestoreStore, LedgerUnavailable
from tests.support.emulated import Emulated, emulated, firestore_client

FIELDS = {"state": "claimed", "at": datetime(2027, 1, 15, 8, tzinfo=UTC), "routes": ["a"]}


@pytest.fixture
async def running() -> AsyncIterator[Emulated]:
    async with emulated() as pair:
        yield pair


@pytest.fixture
async def store(running: Emulated) -> AsyncIterator[FirestoreStore]:
    async with firestore_client(running) as client:
        yield FirestoreStore(client, "deliveries")


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
    assert running.calls == {"Commit": 2}


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


async def test_a_document_that_is_gone_is_a_conflict(store: FirestoreStore) -> None:
    version = await store.create("d", FIELDS)
    await store._client.document("deliveries", "d").delete()
    with pytest.raises(Conflict):
        await store.update("d", {"state": "done"}, version)


async def test_of_many_creates_one_wins(store: FirestoreStore) -> None:
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
async def test_what_may_pass_is_tried_again(
    store: FirestoreStore, running: Emulated, code: grpc.StatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "guard", failing(code, times=1))
    await store.create("d", FIELDS)
    assert running.calls["Commit"] == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND])
async def test_what_will_not_pass_is_reported_at_once(
    store: FirestoreStore, running: Emulated, code: grpc.StatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "guard", failing(code))
    with pytest.raises(LedgerUnavailable, match="ledger-"):
        await store.create("d", FIELDS)
    with pytest.raises(LedgerUnavailable, match="ledger-"):
        await store.read("d")
    assert running.calls["Commit"] == 1


async def test_what_does_not_pass_is_reported_in_time(
    store: FirestoreStore, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.store._CALL_SECONDS", 0.2)
    monkeypatch.setattr(running, "guard", failing(grpc.StatusCode.UNAVAILABLE))
    with pytest.raises(LedgerUnavailable, match="ledger-"):
        await store.create("d", FIELDS)


async def test_missing_credentials_are_reported(
    store: FirestoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_path: str) -> None:
        raise RefreshError("no metadata server")

    monkeypatch.setattr(store._client, "document", refuse)
    with pytest.raises(LedgerUnavailable, match="RefreshError"):
        await store.read("d")
