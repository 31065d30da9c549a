"""Which job an event moves, and how; tests/crash/test_jobs.py has every order and every death."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.dispatcher import event as events
from relay.dispatcher.event import Event
from relay.dispatcher.jobs import Jobs, Settled
from relay.errors import Unavailable
from relay.gcp.database import Write
from relay.gcp.store import Conflict
from relay.jobs import documents, names, reconciled
from relay.web.push import PushedMessage
from tests.support.documents import MemoryDatabase

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
JOB = names.key_id("report-42")
TOKEN = "t0ken"
RELAY_JOB = names.relay_job(JOB, TOKEN)
OPERATION = "models/veo-3/operations/o1"
ENDED = {
    "state": "ended",
    "ended_at": NOW,
    "expire_at": NOW + timedelta(days=30),
    "check_at": None,
}


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
def jobs(database: MemoryDatabase) -> Jobs:
    return Jobs(database, lambda: NOW)


def add(database: MemoryDatabase, kind: str = "batch", *aliases: str, **fields: Any) -> None:
    given = {"kind": kind, "state": "running", "token": TOKEN, "shard": 1, "check_at": NOW}
    writes = [Write(alias(kind, name), documents.alias(JOB)) for name in aliases]
    database.documents.commit([Write(f"jobs/{JOB}", {**given, **fields}), *writes])


def alias(kind: str, name: str) -> str:
    return f"job_names/{names.document_id(kind, name)}"


def event(
    event_type: str = "batch.succeeded",
    relay_job: str | None = RELAY_JOB,
    key: str = "evt_1",
    attributes: Mapping[str, str] | None = None,
    **data: Any,
) -> Event:
    given = {"webhook-id": key, "dedup-key": key, "scheme": "v1", **(attributes or {})}
    metadata = {"team": "blue"} | ({"relay_job": relay_job} if relay_job is not None else {})
    body = {"type": event_type, "data": data, "user_metadata": metadata}
    return events.read(PushedMessage(json.dumps(body).encode(), given), source="//gemini")


async def test_an_event_of_no_job_costs_one_read(jobs: Jobs, database: MemoryDatabase) -> None:
    for unknown in (event(id="batch_1"), event(relay_job=None, id="batch_1")):
        database.calls.clear()
        assert await jobs.settle(unknown) == Settled()
        assert database.calls == ["read"]


async def test_an_event_that_names_nothing_costs_no_read(
    jobs: Jobs, database: MemoryDatabase
) -> None:
    ping = event("webhook.ping", None)
    for unnamed in (ping, event("batch.succeeded", None), event(relay_job="x", id="batch_1")):
        assert await jobs.settle(unnamed) == Settled()
    assert database.calls == []


async def test_an_event_with_an_identity_costs_one_read_and_one_write(
    jobs: Jobs, database: MemoryDatabase
) -> None:
    add(database, name="batches/1")
    assert await jobs.settle(event(id="batch_1")) == Settled(JOB)
    assert database.calls == ["read", "commit"]
    announced = {"end": {"by": "evt_1", "at": NOW, "type": "batch.succeeded"}}
    outcome = {"status": "succeeded", "outcome": "succeeded", "announced": announced}
    given = {"kind": "batch", "token": TOKEN, "shard": 1, "name": "batches/1"}
    assert database.fields(f"jobs/{JOB}") == {**given, **ENDED, **outcome}


async def test_an_event_with_a_known_name_costs_two_reads_and_one_write(
    jobs: Jobs, database: MemoryDatabase
) -> None:
    add(database, "batch", "batches/1", name="batches/1")
    assert await jobs.settle(event(relay_job=None, id="1")) == Settled(JOB)
    assert database.calls == ["read", "read", "commit"]


@pytest.mark.parametrize("known_by", ["identity", "name"])
async def test_an_absorbed_end_writes_nothing(
    jobs: Jobs, database: MemoryDatabase, known_by: str
) -> None:
    announced = {"end": {"by": "evt_0"}}
    add(database, "batch", "batches/1", name="batches/1", announced=announced)
    late = event(relay_job=RELAY_JOB if known_by == "identity" else None, id="batch_1")
    assert await jobs.settle(late) == Settled(JOB, absorbed_by="evt_0")
    assert database.calls == ["read"] * (1 if known_by == "identity" else 2)


async def test_an_action_is_absorbed_once_for_one_write(
    jobs: Jobs, database: MemoryDatabase
) -> None:
    add(database, "interaction", name="v1_A")
    action = reconciled.event_id(JOB, reconciled.ACTION)
    asks = "interaction.requires_action"
    first = event(asks, key=action, attributes={"scheme": "reconciled"}, id="v1_A")
    assert await jobs.settle(first) == Settled(JOB)
    assert database.fields(f"jobs/{JOB}")["status"] == "requires_action"
    database.calls.clear()
    genuine = event(asks, key="evt_1", id="v1_A")
    assert await jobs.settle(genuine) == Settled(JOB, absorbed_by=action)
    assert database.calls == ["read", "commit"]
    assert database.fields(f"jobs/{JOB}")["announced"]["action"]["absorbed"] == "evt_1"
    # The same again, after a death; and a further question.
    assert await jobs.settle(genuine) == Settled(JOB, absorbed_by=action)
    assert await jobs.settle(event(asks, key="evt_2", id="v1_A")) == Settled(JOB)


@pytest.mark.parametrize(
    "wrong",
    [
        event(relay_job=names.relay_job(JOB, "another"), id="batch_1"),
        event(relay_job=names.relay_job(names.key_id("gone"), TOKEN), id="batch_1"),
        event(id="batch_2"),
        event(relay_job="x", id="batch_1"),
    ],
    ids=["token", "gone", "another name", "malformed"],
)
async def test_a_wrong_identity_is_no_match_whatever_the_name_and_is_not_logged(
    jobs: Jobs, database: MemoryDatabase, wrong: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    add(database, "batch", "batches/1", "batches/2", name="batches/1")
    before = database.fields(f"jobs/{JOB}")
    assert await jobs.settle(wrong) == Settled()
    assert database.fields(f"jobs/{JOB}") == before
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["severity"] == "WARNING"
    assert TOKEN not in line
    assert "job_" not in line


async def test_a_document_of_four_fields_is_moved(jobs: Jobs, database: MemoryDatabase) -> None:
    fields = {"kind": "interaction", "state": "starting", "token": TOKEN, "shard": 1}
    database.documents.create(f"jobs/{JOB}", fields)
    assert await jobs.settle(event("interaction.incomplete", id="v1_Ab")) == Settled(JOB)
    found = database.fields(f"jobs/{JOB}")
    assert (found["outcome"], found["name"]) == ("incomplete", "v1_Ab")


async def test_a_name_is_learnt_in_the_same_commit(jobs: Jobs, database: MemoryDatabase) -> None:
    add(database, "video", OPERATION, name=OPERATION)
    uri = "https://generativelanguage.googleapis.com/v1beta/files/f:download?alt=media"
    assert await jobs.settle(event("video.generated", video_uri=uri)) == Settled(JOB)
    assert database.calls == ["read", "commit"]
    assert database.fields(f"jobs/{JOB}")["name"] == OPERATION
    assert database.fields(alias("video", "files/f")) == {"job": JOB}
    # By which the reconciler's event, which may lack an identity, finds the job.
    late = event("video.generated", None, key="evt_2", file_id="f")
    assert await jobs.settle(late) == Settled(JOB, absorbed_by="evt_1")


@pytest.mark.parametrize(
    ("event_type", "data", "name"),
    [
        ("batch.failed", {"id": "batch_1"}, "batches/1"),
        ("interaction.failed", {"id": "v1_Ab"}, "v1_Ab"),
        ("video.generated", {"file_id": "f"}, "files/f"),
    ],
)
async def test_a_job_whose_reply_was_lost_gets_its_name_from_the_event(
    jobs: Jobs, database: MemoryDatabase, event_type: str, data: dict[str, Any], name: str
) -> None:
    kind = event_type.partition(".")[0]
    add(database, kind, state="starting")
    assert await jobs.settle(event(event_type, **data)) == Settled(JOB)
    assert database.fields(f"jobs/{JOB}")["name"] == name
    assert database.fields(alias(kind, name)) == {"job": JOB}


async def test_a_question_to_a_job_whose_reply_was_lost_shows_that_it_runs(
    jobs: Jobs, database: MemoryDatabase
) -> None:
    add(database, "interaction", state="starting")
    assert await jobs.settle(event("interaction.requires_action", id="v1_A")) == Settled(JOB)
    found = database.fields(f"jobs/{JOB}")
    assert (found["state"], found["name"], found["check_at"]) == ("running", "v1_A", NOW)


async def test_what_went_wrong_is_kept(jobs: Jobs, database: MemoryDatabase) -> None:
    add(database)
    await jobs.settle(event("batch.failed", id="1", error_code=13, error_message="internal"))
    found = database.fields(f"jobs/{JOB}")
    assert found["error"] == {"code": "13", "message": "internal"}


@pytest.mark.parametrize("state", ["ended", "refused"])
async def test_an_end_that_was_learnt_by_asking_is_still_announced(
    jobs: Jobs, database: MemoryDatabase, state: str
) -> None:
    add(database, state=state, status="failed", outcome="failed")
    assert await jobs.settle(event(id="1")) == Settled(JOB)
    found = database.fields(f"jobs/{JOB}")
    assert (found["state"], found["status"], found["check_at"]) == (state, "failed", None)
    assert found["announced"]["end"]["by"] == "evt_1"


async def test_a_late_question_reopens_nothing(jobs: Jobs, database: MemoryDatabase) -> None:
    add(database, "interaction", state="ended", status="completed", name="v1_A")
    assert await jobs.settle(event("interaction.requires_action", id="v1_A")) == Settled(JOB)
    found = database.fields(f"jobs/{JOB}")
    assert (found["state"], found["status"]) == ("ended", "completed")


@pytest.mark.parametrize(
    "other",
    ["interaction.idle", "batch.succeeded", "relay.job.overdue", "relay.job.collected", "video"],
)
async def test_an_event_that_is_no_end_of_its_job_changes_nothing(
    jobs: Jobs, database: MemoryDatabase, other: str
) -> None:
    add(database, "interaction", name="v1_A")
    assert await jobs.settle(event(other, id="v1_A")) == Settled(JOB)
    assert database.calls == ["read"]


@pytest.mark.parametrize("announced", [{}, {"end": {"by": "evt_0"}}])
async def test_a_replay_is_matched_and_moves_nothing(
    jobs: Jobs, database: MemoryDatabase, announced: dict[str, Any]
) -> None:
    add(database, announced=announced)
    assert await jobs.settle(event(attributes={"replay": "r1"}, id="1")) == Settled(JOB)
    assert database.calls == ["read"]


class Contended(MemoryDatabase):
    """Somebody else writes the job before the next commits do."""

    def __init__(self, times: int, fields: Mapping[str, Any]) -> None:
        super().__init__()
        self.left = times
        self.theirs = fields

    async def commit(self, *writes: Write) -> None:
        if self.left:
            self.left -= 1
            found = self.documents.read(f"jobs/{JOB}")
            assert found is not None
            self.documents.update(f"jobs/{JOB}", {**self.theirs, "n": self.left}, found.version)
        await super().commit(*writes)


async def test_a_conflict_is_read_again_up_to_five_times() -> None:
    database = Contended(5, {"status": "running"})
    add(database)
    assert await Jobs(database, lambda: NOW).settle(event(id="1")) == Settled(JOB)
    assert database.calls == 6 * ["read", "commit"]
    assert database.fields(f"jobs/{JOB}")["state"] == "ended"


async def test_a_job_that_is_contended_without_end_is_put_off() -> None:
    database = Contended(6, {"status": "running"})
    add(database)
    with pytest.raises(Unavailable, match="job-contended"):
        await Jobs(database, lambda: NOW).settle(event(id="1"))
    assert database.calls == 6 * ["read", "commit"]


async def test_after_a_conflict_the_others_announcement_counts() -> None:
    database = Contended(1, {"announced": {"end": {"by": "rec_1"}}})
    add(database)
    jobs = Jobs(database, lambda: NOW)
    assert await jobs.settle(event(id="1")) == Settled(JOB, absorbed_by="rec_1")


async def test_a_commit_whose_reply_was_lost_is_found_again() -> None:
    class Lossy(MemoryDatabase):
        async def commit(self, *writes: Write) -> None:
            await super().commit(*writes)
            raise Conflict("of its own")

    lossy = Lossy()
    add(lossy)
    assert await Jobs(lossy, lambda: NOW).settle(event(id="1")) == Settled(JOB)
    assert lossy.calls == ["read", "commit", "read"]
