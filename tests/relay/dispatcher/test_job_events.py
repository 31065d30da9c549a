"""A job's event over the real clients and the embedded Firestore: what it costs, what it says."""

import base64
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from starlette.responses import Response

from localcloud.core.rpc import Call, RpcError
from relay.dispatcher.claims import document_id
from relay.dispatcher.function import create
from relay.errors import ConfigurationError
from relay.gcp.database import FirestoreDatabase, Write, create_database
from relay.jobs import documents, names
from tests.relay.dispatcher.test_function import BLUE, DEAD_LETTER, EVENTS, GIVEN, ROUTES, request
from tests.support.emulated import Emulated, emulated

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
JOB, OTHER = names.key_id("report-42"), names.key_id("another")
TOKEN = "t0ken"
JOBS = {"FIRESTORE_DATABASE": "gemini-webhooks", "JOBS_DATABASE": "gemini-jobs"}
CLAIM_AND_RECORD = {"BatchWrite": 2}


@dataclass
class Stage:
    """A dispatcher, the emulators that it talks to, and both databases."""

    running: Emulated
    handler: Any
    jobs: FirestoreDatabase
    ledger: FirestoreDatabase

    async def post(self, body: dict[str, Any], **attributes: str) -> Response:
        given = {**GIVEN, **{name.replace("_", "-"): value for name, value in attributes.items()}}
        data = base64.b64encode(json.dumps(body).encode()).decode()
        self.running.calls.clear()
        message = {"message": {"data": data, "attributes": given}}
        answer: Response = await self.handler(request(json.dumps(message).encode()))
        return answer

    async def recorded(self, key: str) -> dict[str, Any]:
        [found] = await self.ledger.read(f"deliveries/{document_id(key)}")
        assert found is not None
        return dict(found.fields)

    async def calls(self, body: dict[str, Any], key: str) -> Counter[str]:
        """Return what one event costs, and see that nothing is left to do."""
        assert (await self.post(body, webhook_id=key, dedup_key=key)).status_code == 204
        return Counter(self.running.calls)


@pytest.fixture
async def running() -> AsyncIterator[Emulated]:
    async with emulated() as pair:
        for topic in (EVENTS, DEAD_LETTER, BLUE):
            await pair.topic(topic)
        yield pair


async def made(running: Emulated, **environ: str) -> Stage:
    variables = {**running.environ, "ROUTES": json.dumps(ROUTES), **environ}
    return Stage(
        running,
        create(variables),
        create_database({**variables, **JOBS}, "JOBS_DATABASE"),
        create_database({**variables, **JOBS}, "FIRESTORE_DATABASE"),
    )


@pytest.fixture
async def stage(running: Emulated) -> AsyncIterator[Stage]:
    stage = await made(running, **JOBS)
    for job, name in ((JOB, "batches/1"), (OTHER, "batches/2")):
        fields = documents.starting(job, "batch", TOKEN, NOW)
        alias = f"job_names/{names.document_id('batch', name)}"
        await stage.jobs.commit(
            Write(f"jobs/{job}", {**fields, "state": "running", "name": name}),
            Write(alias, documents.alias(job)),
        )
    yield stage
    worker = stage.handler._worker
    await worker._ledger._store.close()
    await worker._publisher.close()
    await worker._jobs._database.close()
    await stage.jobs.close()
    await stage.ledger.close()


def body(event_type: str, number: int, relay_job: str = "") -> dict[str, Any]:
    metadata = {"team": "blue"} | ({"relay_job": relay_job} if relay_job else {})
    data = {"id": f"batch_{number}"}
    return {"type": event_type, "data": data, "user_metadata": metadata}


RELAY_JOB = names.relay_job(JOB, TOKEN)


async def test_a_jobs_event_bears_its_id_and_not_its_token(stage: Stage) -> None:
    await stage.calls(body("batch.succeeded", 1, RELAY_JOB), "evt_1")
    [(_, attributes)] = await stage.running.messages(EVENTS)
    assert attributes["job"] == JOB
    assert attributes["meta-team"] == "blue"
    assert not any("relay_job" in name or TOKEN in text for name, text in attributes.items())
    assert await stage.running.messages(BLUE) != []
    recorded = await stage.recorded("evt_1")
    assert recorded["state"] == "done"
    assert "absorbed_by" not in recorded


async def test_each_event_costs_what_the_table_says(stage: Stage) -> None:
    assert await stage.calls(body("batch.succeeded", 7), "evt_0") == {
        **CLAIM_AND_RECORD,
        "BatchGetDocuments": 1,
        "Publish": 2,
    }
    jobs = {**CLAIM_AND_RECORD, "Commit": 1, "Publish": 2}
    by_identity = await stage.calls(body("batch.succeeded", 1, RELAY_JOB), "evt_1")
    assert by_identity == {**jobs, "BatchGetDocuments": 1}
    by_name = await stage.calls(body("batch.succeeded", 2), "evt_2")
    assert by_name == {**jobs, "BatchGetDocuments": 2}
    absorbed = await stage.calls(body("batch.succeeded", 1, RELAY_JOB), "evt_3")
    assert absorbed == {**CLAIM_AND_RECORD, "BatchGetDocuments": 1}
    absorbed = await stage.calls(body("batch.completed", 2), "evt_4")
    assert absorbed == {**CLAIM_AND_RECORD, "BatchGetDocuments": 2}
    recorded = await stage.recorded("evt_4")
    assert (recorded["state"], recorded["absorbed_by"]) == ("done", "evt_2")
    assert recorded["routes_done"] == []
    # A copy of the absorbed event is a duplicate like any other.
    again = await stage.calls(body("batch.completed", 2), "evt_4")
    assert again == {"BatchWrite": 1, "BatchGetDocuments": 1}


async def test_a_replay_costs_a_read_and_is_fanned_out(stage: Stage) -> None:
    await stage.calls(body("batch.succeeded", 1, RELAY_JOB), "evt_1")
    absorbed = body("batch.completed", 1, RELAY_JOB)
    await stage.calls(absorbed, "evt_2")
    await stage.running.messages(EVENTS)
    assert (await stage.post(absorbed, webhook_id="evt_2", replay="r1")).status_code == 204
    assert stage.running.calls == {**CLAIM_AND_RECORD, "BatchGetDocuments": 1, "Publish": 2}
    [(_, attributes)] = await stage.running.messages(EVENTS)
    assert (attributes["ce-id"], attributes["job"], attributes["replay"]) == ("evt_2", JOB, "r1")


@pytest.mark.parametrize("jobs", [{}, {"JOBS_DATABASE": ""}])
async def test_without_a_jobs_database_no_call_is_made_and_no_token_is_shown(
    running: Emulated, jobs: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    stage = await made(running, **jobs)
    await stage.calls(body("batch.succeeded", 1, RELAY_JOB), "evt_1")
    assert running.calls == {"BatchWrite": 2, "Publish": 2}
    [(_, attributes)] = await running.messages(EVENTS)
    assert not {"job", "meta-relay_job"} & attributes.keys()
    written = capsys.readouterr().out
    assert TOKEN not in written + repr(attributes)
    assert "relay_job" not in written
    worker = stage.handler._worker
    await worker._ledger._store.close()
    await worker._publisher.close()


async def test_a_jobs_database_that_is_out_of_reach_puts_the_event_off_and_frees_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guard(call: Call) -> None:
        if getattr(call.request, "database", "").endswith("gemini-jobs"):
            raise RpcError(grpc.StatusCode.PERMISSION_DENIED, "as told")

    with monkeypatch.context() as broken:
        broken.setattr(stage.running, "guard", guard)
        refused = await stage.post(body("batch.succeeded", 1, RELAY_JOB))
        assert refused.status_code == 503
    assert await stage.running.messages(EVENTS) == []
    recorded = await stage.recorded("evt_1")
    assert (recorded["state"], recorded["attempt"]) == ("claimed", 1)
    # The next attempt waits for no lease.
    assert (await stage.post(body("batch.succeeded", 1, RELAY_JOB))).status_code == 204
    assert len(await stage.running.messages(EVENTS)) == 1


async def test_the_log_of_a_jobs_event_has_no_token(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.calls(body("batch.succeeded", 1, RELAY_JOB), "evt_1")
    await stage.calls(body("batch.succeeded", 1, RELAY_JOB + "x"), "evt_2")
    written = capsys.readouterr().out
    assert "no job matches the event" in written
    assert TOKEN not in written


def test_a_jobs_database_that_is_none_stops_the_start(running: Emulated) -> None:
    with pytest.raises(ConfigurationError, match="JOBS_DATABASE"):
        create({**running.environ, "JOBS_DATABASE": "Not A Database"})
