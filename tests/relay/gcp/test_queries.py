from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from relay.gcp.database import FirestoreDatabase, Write, create_database
from relay.gcp.queries import Query
from relay.gcp.store import LedgerUnavailable
from tests.relay.gcp.test_store import failing
from tests.support.emulated import Emulated, Services, emulated

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)


@pytest.fixture
async def running() -> AsyncIterator[Emulated]:
    async with emulated() as pair:
        yield pair


@pytest.fixture
async def jobs(running: Emulated) -> AsyncIterator[FirestoreDatabase]:
    database = create_database({**running.environ, "JOBS_DATABASE": "jobs"}, "JOBS_DATABASE")
    yield database
    await database.close()


def due(limit: int = 0, shard: int = 1) -> Query:
    return Query("jobs", (("shard", "==", shard), ("check_at", "<=", NOW)), "check_at", limit)


async def fill(jobs: FirestoreDatabase) -> None:
    times = {"c": -3, "a": -1, "b": -1, "d": 0, "later": 1}
    writes = [
        Write(f"jobs/{name}", {"shard": 1, "check_at": NOW + timedelta(hours=hours)})
        for name, hours in times.items()
    ]
    other = Write("jobs/other", {"shard": 2, "check_at": NOW})
    never = [Write("jobs/null", {"shard": 1, "check_at": None}), Write("jobs/none", {"shard": 1})]
    await jobs.commit(*writes, other, *never)


async def test_documents_are_found_in_order(jobs: FirestoreDatabase) -> None:
    await fill(jobs)
    found = await jobs.find(due())
    assert [each.id for each in found] == ["c", "a", "b", "d"]
    assert found[0].snapshot.fields == {"shard": 1, "check_at": NOW - timedelta(hours=3)}
    assert await jobs.count(due()) == 4
    assert await jobs.find(due(shard=3)) == []
    assert await jobs.count(due(shard=3)) == 0


async def test_a_page_follows_another_even_between_equals(jobs: FirestoreDatabase) -> None:
    await fill(jobs)
    page = await jobs.find(due(2))
    assert [each.id for each in page] == ["c", "a"]
    following = due(2).following(page[-1])
    assert [each.id for each in await jobs.find(following)] == ["b", "d"]
    assert await jobs.count(following) == 2


async def test_what_is_found_has_the_version_to_write_at(jobs: FirestoreDatabase) -> None:
    await fill(jobs)
    [first] = await jobs.find(due(1))
    await jobs.commit(Write("jobs/c", {"check_at": None}, first.snapshot.version))
    assert [each.id for each in await jobs.find(due(1))] == ["a"]


async def test_a_field_is_one_of_several_values(jobs: FirestoreDatabase) -> None:
    names = ("batches/x", "batch_x", "x", "y")
    await jobs.commit(
        *(Write(f"deliveries/{n}", {"subject": s, "type": "t"}) for n, s in enumerate(names))
    )
    query = Query("deliveries", (("subject", "in", list(names[:3])),), fields=("type",))
    found = await jobs.find(query)
    assert [(each.id, each.snapshot.fields) for each in found] == [
        (str(number), {"type": "t"}) for number in range(3)
    ]


async def test_an_empty_reply_to_a_count_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_request: Any) -> AsyncIterator[Any]:
        return
        yield

    def around(services: Services) -> Services:
        methods = services["google.firestore.v1.Firestore"]
        silent = replace(methods["RunAggregationQuery"], handler=nothing)
        return {"google.firestore.v1.Firestore": {**methods, "RunAggregationQuery": silent}}

    monkeypatch.setattr("relay.gcp.store.CALL_SECONDS", 0.2)
    async with emulated(around) as running:
        database = create_database({**running.environ, "JOBS_DATABASE": "jobs"}, "JOBS_DATABASE")
        with pytest.raises(LedgerUnavailable):
            await database.count(due())
        await database.close()


async def test_an_outage_is_reported(
    jobs: FirestoreDatabase, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "guard", failing(grpc.StatusCode.PERMISSION_DENIED))
    with pytest.raises(LedgerUnavailable):
        await jobs.find(due())
    with pytest.raises(LedgerUnavailable):
        await jobs.count(due())
