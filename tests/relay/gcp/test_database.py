import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from localcloud.core.rpc import RpcError
from relay.errors import Unavailable
from relay.gcp.database import FirestoreDatabase, Write, create_database
from relay.gcp.store import Conflict, LedgerUnavailable, Snapshot
from tests.relay.gcp.test_store import DATABASE, failing
from tests.support.emulated import PROJECT, Emulated, Services, emulated
from tests.support.striking import Striker

JOB = {"state": "running", "at": datetime(2027, 1, 15, 8, tzinfo=UTC), "announced": {}}
ALIAS = {"job": "job_1"}


@pytest.fixture
async def running() -> AsyncIterator[Emulated]:
    async with emulated() as pair:
        yield pair


@pytest.fixture
async def jobs(running: Emulated) -> AsyncIterator[FirestoreDatabase]:
    database = create_database({**running.environ, "JOBS_DATABASE": "jobs"}, "JOBS_DATABASE")
    yield database
    await database.close()


async def present(database: FirestoreDatabase, document: str) -> Snapshot:
    [found] = await database.read(document)
    assert found is not None
    return found


async def test_documents_of_two_collections_are_written_and_read_in_one_call_each(
    jobs: FirestoreDatabase, running: Emulated
) -> None:
    await jobs.commit(Write("jobs/job_1", JOB), Write("job_names/n", ALIAS))
    job, nothing, alias = await jobs.read("jobs/job_1", "jobs/job_2", "job_names/n")
    assert job is not None
    assert alias is not None
    assert (job.fields, nothing, alias.fields) == (JOB, None, ALIAS)
    assert running.calls == {"Commit": 1, "BatchGetDocuments": 1}


async def test_a_change_keeps_the_other_fields(jobs: FirestoreDatabase) -> None:
    await jobs.commit(Write("jobs/job_1", JOB))
    version = (await present(jobs, "jobs/job_1")).version
    await jobs.commit(Write("jobs/job_1", {"state": "ended", "check_at": None}, version))
    found = await present(jobs, "jobs/job_1")
    assert found.fields == {**JOB, "state": "ended", "check_at": None}


@pytest.mark.parametrize("refused", ["a version that is past", "a document that exists"])
async def test_a_commit_of_which_one_write_is_refused_writes_nothing(
    jobs: FirestoreDatabase, refused: str
) -> None:
    await jobs.commit(Write("jobs/job_1", JOB), Write("job_names/n", ALIAS))
    past = (await present(jobs, "jobs/job_1")).version
    await jobs.commit(Write("jobs/job_1", {"state": "ended"}, past))
    now = (await present(jobs, "jobs/job_1")).version
    job, alias = (past, "m") if refused == "a version that is past" else (now, "n")
    with pytest.raises(Conflict):
        await jobs.commit(
            Write("jobs/job_1", {"state": "lost"}, job), Write(f"job_names/{alias}", ALIAS)
        )
    assert (await present(jobs, "jobs/job_1")).fields["state"] == "ended"
    assert await jobs.read("job_names/m") == [None]


async def test_a_document_that_is_gone_is_a_conflict(jobs: FirestoreDatabase) -> None:
    await jobs.commit(Write("jobs/job_1", JOB))
    version = (await present(jobs, "jobs/job_1")).version
    with pytest.raises(Conflict):
        await jobs.commit(Write("jobs/job_2", {"state": "ended"}, version))


async def test_one_of_many_concurrent_commits_wins(jobs: FirestoreDatabase) -> None:
    await jobs.commit(Write("jobs/job_1", JOB))
    version = (await present(jobs, "jobs/job_1")).version
    outcomes = await asyncio.gather(
        *(jobs.commit(Write("jobs/job_1", {"n": n}, version)) for n in range(20)),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19


async def test_databases_behind_one_host_have_documents_of_their_own(
    jobs: FirestoreDatabase, running: Emulated
) -> None:
    await jobs.commit(Write("jobs/job_1", JOB))
    other = create_database(running.environ, "FIRESTORE_DATABASE")
    assert await other.read("jobs/job_1") == [None]
    await other.commit(Write("jobs/job_1", {"state": "another"}))
    await other.close()
    assert (await present(jobs, "jobs/job_1")).fields == JOB
    assert jobs._database == f"projects/{PROJECT}/databases/jobs"
    assert other._database == DATABASE


async def test_a_lost_reply_makes_a_conflict_of_ones_own_write() -> None:
    async def lose() -> None:
        raise RpcError(grpc.StatusCode.UNAVAILABLE, "the reply is lost")

    striker = Striker(0, "after", lose, frozenset({"Commit"}))
    async with emulated(striker.around) as running:
        database = create_database(running.environ, "FIRESTORE_DATABASE")
        with pytest.raises(Conflict):
            await database.commit(Write("jobs/job_1", JOB))
        assert (await present(database, "jobs/job_1")).fields == JOB
        await database.close()
    assert striker.seen == ["Commit", "Commit"]


async def test_a_transient_error_is_retried(
    jobs: FirestoreDatabase, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "guard", failing(grpc.StatusCode.ABORTED, times=1))
    await jobs.commit(Write("jobs/job_1", JOB))
    assert running.calls["Commit"] == 2


async def test_a_database_that_does_not_exist_is_reported_by_the_read_after_the_conflict(
    jobs: FirestoreDatabase, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "guard", failing(grpc.StatusCode.NOT_FOUND))
    with pytest.raises(Conflict):
        await jobs.commit(Write("jobs/job_1", JOB))
    with pytest.raises(LedgerUnavailable, match="NotFound"):
        await jobs.read("jobs/job_1")


async def test_missing_credentials_are_reported() -> None:
    async def refuse() -> grpc.aio.Channel:
        raise Unavailable("credentials")

    database = FirestoreDatabase(refuse, DATABASE)
    with pytest.raises(LedgerUnavailable, match="credentials"):
        await database.read("jobs/job_1")
    with pytest.raises(LedgerUnavailable, match="credentials"):
        await database.commit(Write("jobs/job_1", JOB))


async def test_a_read_that_ends_early_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def around(services: Services) -> Services:
        methods = services["google.firestore.v1.Firestore"]
        whole = methods["BatchGetDocuments"]

        async def first(request: Any) -> AsyncIterator[Any]:
            async for reply in whole.handler(request):
                yield reply
                return

        cut = replace(whole, handler=first)
        return {"google.firestore.v1.Firestore": {**methods, "BatchGetDocuments": cut}}

    monkeypatch.setattr("relay.gcp.store.CALL_SECONDS", 0.2)
    async with emulated(around) as running:
        database = create_database(running.environ, "FIRESTORE_DATABASE")
        with pytest.raises(LedgerUnavailable):
            await database.read("jobs/job_1", "jobs/job_2")
        await database.close()
