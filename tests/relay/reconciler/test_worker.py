"""What a look at a job asks, announces and records."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from relay.errors import GeminiRefused, PublishRefused, PublishUnavailable, Unavailable
from relay.gcp.database import Write
from relay.jobs import names, reconciled
from tests.relay.reconciler.world import NOW, World, batch, video

HOUR = timedelta(hours=1)
BATCH = "batches/b1"
OPERATION = "models/veo/operations/o1"
OPERATION_PATH = f"/v1beta/{OPERATION}"
INTERACTION = "v1_aB-c.d"
INTERACTION_PATH = f"/v1/interactions/{INTERACTION}"
FILE_URI = "https://generativelanguage.googleapis.com/v1beta/files/f1:download?alt=media"


@pytest.fixture
def world() -> World:
    return World()


def report(**counts: int) -> dict[str, int]:
    every = ("examined", "ended", "announced", "absorbed", "overdue", "lost", "failed", "left")
    return dict.fromkeys(every, 0) | counts


ENDS: list[tuple[str, str, str, Any, str, dict[str, Any]]] = [
    (
        "interaction",
        INTERACTION,
        INTERACTION_PATH,
        {"id": INTERACTION, "status": status, "outputs": [{"text": "secret"}]},
        f"interaction.{status}",
        {"id": INTERACTION},
    )
    for status in ("completed", "cancelled", "incomplete", "budget_exceeded")
]
ENDS += [
    (
        "interaction",
        INTERACTION,
        INTERACTION_PATH,
        {"status": "failed", "error": {"code": "quota", "message": "no"}},
        "interaction.failed",
        {"id": INTERACTION, "error_code": "quota", "error_message": "no"},
    ),
    (
        "batch",
        BATCH,
        "/v1/batches/b1",
        batch(state="BATCH_STATE_SUCCEEDED", output={"responsesFile": "files/batch-b1"}),
        "batch.succeeded",
        {"id": BATCH, "output_file_uri": "files/batch-b1"},
    ),
    (
        "batch",
        "batch_b1",
        "/v1/batches/b1",
        {**batch(state="JOB_STATE_FAILED"), "error": {"code": 13, "message": "no"}},
        "batch.failed",
        {"id": "batch_b1", "error_code": "13", "error_message": "no"},
    ),
    (
        "batch",
        BATCH,
        "/v1/batches/b1",
        batch(state="BATCH_STATE_EXPIRED"),
        "batch.expired",
        {"id": BATCH},
    ),
    (
        "batch",
        BATCH,
        "/v1/batches/b1",
        batch(state="BATCH_STATE_CANCELLED"),
        "batch.cancelled",
        {"id": BATCH},
    ),
    (
        "video",
        OPERATION,
        OPERATION_PATH,
        video(FILE_URI),
        "video.generated",
        {"file_id": "files/f1", "video_uri": FILE_URI},
    ),
    (
        "video",
        OPERATION,
        OPERATION_PATH,
        {"done": True, "error": {"code": 3, "message": "no"}},
        "video.failed",
        {"id": OPERATION, "error_code": "3", "error_message": "no"},
    ),
    (
        "video",
        OPERATION,
        OPERATION_PATH,
        video(raiMediaFilteredCount=2, raiMediaFilteredReasons=["unsafe", "other"]),
        "video.failed",
        {"id": OPERATION, "error_code": "filtered", "error_message": "unsafe"},
    ),
    (
        "video",
        OPERATION,
        OPERATION_PATH,
        video(),
        "video.failed",
        {
            "id": OPERATION,
            "error_code": "unknown",
            "error_message": "The operation is done and has no video.",
        },
    ),
]


@pytest.mark.parametrize(("kind", "name", "path", "answer", "event_type", "data"), ENDS)
async def test_an_end_without_event_is_announced(
    world: World, kind: str, name: str, path: str, answer: Any, event_type: str, data: Any
) -> None:
    job = world.add(kind, name)
    world.gemini.answers[path] = answer
    assert (await world.run()).body() == report(examined=1, ended=1, announced=1)
    assert world.gemini.asked == [path]
    [(body, attributes)] = world.topic.messages
    metadata = {"team": "blue", "relay_job": f"{job}.t0ken"}
    assert body == {
        "type": event_type,
        "version": "v1",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "data": {**data, "user_metadata": metadata},
    }
    identifier = reconciled.event_id(job, "end")
    assert attributes == {
        "webhook-id": identifier,
        "dedup-key": identifier,
        "webhook-timestamp": str(int(NOW.timestamp())),
        "scheme": "reconciled",
        "received-at": "2027-01-15T08:00:00.000Z",
    }
    record = world.record(job)
    assert (record.state, record.status) == ("ended", event_type.rpartition(".")[2])
    assert (record.ended_at, record.expire_at, record.check_at) == (NOW, NOW + 30 * 24 * HOUR, None)
    assert record.announced == {}
    wanted = {each.removeprefix("error_"): data[each] for each in data if "error" in each}
    assert (record.error or {}) == wanted
    # Nothing is due any more.
    assert (await world.run()).body() == report()


async def test_a_plain_reply_of_an_interaction_is_asked_for(world: World) -> None:
    world.add("interaction", INTERACTION)
    await world.run()
    assert world.gemini.requests[0].url.query == b"stream=false"


@pytest.mark.parametrize(
    ("kind", "name", "answer", "status"),
    [
        ("interaction", INTERACTION, {"status": "in_progress"}, "in_progress"),
        ("interaction", INTERACTION, {"status": "idle"}, "idle"),
        ("interaction", INTERACTION, {}, None),
        ("batch", BATCH, batch(state="BATCH_STATE_PENDING"), "pending"),
        ("batch", BATCH, {"name": BATCH}, None),
        ("video", OPERATION, {"name": OPERATION}, "running"),
        ("video", OPERATION, {"done": False}, "running"),
    ],
)
async def test_a_job_that_goes_on_is_asked_again_after_as_long_as_it_runs(
    world: World, kind: str, name: str, answer: Any, status: str | None
) -> None:
    job = world.add(kind, name, age=2)
    path = {"interaction": INTERACTION_PATH, "batch": "/v1/batches/b1"}.get(kind, OPERATION_PATH)
    world.gemini.answers[path] = answer
    assert (await world.run()).body() == report(examined=1)
    record = world.record(job)
    assert (record.state, record.status, record.check_at) == ("running", status, NOW + 2 * HOUR)
    assert world.topic.messages == []


@pytest.mark.parametrize(
    ("age", "pause"), [(0.01, timedelta(minutes=15)), (1, HOUR), (7, 6 * HOUR), (70, 6 * HOUR)]
)
@pytest.mark.parametrize("answer", [{"status": "in_progress"}, 404, 500, 503, 400])
async def test_the_pause_doubles_by_itself(
    world: World, answer: Any, age: float, pause: timedelta
) -> None:
    job = world.add("interaction", INTERACTION, age=age)
    world.gemini.answers[INTERACTION_PATH] = answer
    await world.run()
    assert world.record(job).check_at == NOW + pause
    assert world.record(job).state == "running"
    assert world.topic.messages == []


async def test_without_a_start_the_creation_counts(world: World) -> None:
    job = world.add("interaction", INTERACTION, created_at=NOW - 3 * HOUR, started_at=None)
    await world.run()
    assert world.record(job).check_at == NOW + 3 * HOUR


@pytest.mark.parametrize("status", [400, 408, 500, 502, 503])
async def test_a_refusal_teaches_nothing(world: World, status: int) -> None:
    world.add("batch", BATCH, age=1000)
    world.gemini.answers["/v1/batches/b1"] = status
    assert (await world.run()).body() == report(examined=1, failed=1)
    assert world.topic.messages == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.ReadTimeout("slow"),
        httpx2.Response(200, content=b"<html>"),
        httpx2.Response(200, content=b'{"metadata": {'),
        httpx2.Response(200, json=[]),
    ],
)
async def test_an_unusable_answer_teaches_nothing(world: World, answer: Any) -> None:
    job = world.add("batch", BATCH)
    world.gemini.answers["/v1/batches/b1"] = answer
    assert (await world.run()).body() == report(examined=1, failed=1)
    assert world.record(job).check_at == NOW + HOUR


async def test_a_name_that_leads_elsewhere_is_not_asked_for(world: World) -> None:
    for name in ("..", ".", "", "a/../b"):
        world.add("interaction", name or None)
    world.add("batch", "batches/..")
    world.add("video", "files/f1")
    await world.run()
    # An interaction's id is one segment, whatever is in it.
    assert [request.url.raw_path for request in world.gemini.requests] == [
        b"/v1/interactions/a%2F..%2Fb?stream=false"
    ]


async def test_a_large_answer_is_read_for_its_state(world: World) -> None:
    job = world.add("batch", BATCH)
    results = [{"response": {"text": "x" * 1000}}] * 5_000
    output = {"inlinedResponses": {"inlinedResponses": results}}
    answer = {**batch(output=output, state="BATCH_STATE_SUCCEEDED"), "response": output}
    world.gemini.answers["/v1/batches/b1"] = answer
    await world.run()
    assert world.record(job).status == "succeeded"
    assert world.topic.messages[0][0]["data"].keys() == {"id", "user_metadata"}


async def test_a_batch_that_is_done_without_a_state_has_ended(world: World) -> None:
    world.add("batch", BATCH)
    world.add("batch", "batches/b2")
    error = {"code": 13, "message": "no"}
    world.gemini.answers = {
        "/v1/batches/b1": {"done": True, "response": {"responsesFile": "files/r"}},
        "/v1/batches/b2": {"done": True, "error": error},
    }
    await world.run()
    assert sorted(world.topic.types) == ["batch.failed", "batch.succeeded"]
    told = {body["type"]: body["data"] for body, _ in world.topic.messages}
    assert told["batch.succeeded"]["output_file_uri"] == "files/r"


async def test_a_job_without_token_is_announced_by_its_name(world: World) -> None:
    world.add("batch", BATCH, token=None, metadata=None)
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    await world.run()
    assert world.topic.messages[0][0]["data"] == {"id": BATCH, "user_metadata": {}}


# The ledger of deliveries.


@pytest.mark.parametrize("subject", ["batches/b1", "batch_b1", "b1"])
@pytest.mark.parametrize("state", ["done", "claimed", "dead-lettered"])
@pytest.mark.parametrize("event_type", ["batch.succeeded", "batch.completed", "batch.failed"])
async def test_an_end_whose_event_came_is_not_announced(
    world: World, subject: str, state: str, event_type: str
) -> None:
    job = world.add("batch", BATCH)
    world.deliver(subject, event_type, state=state, expire_at=NOW - HOUR)
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    assert (await world.run()).body() == report(examined=1, ended=1, absorbed=1)
    assert world.topic.messages == []
    record = world.record(job)
    assert (record.state, record.check_at, record.announced) == ("ended", None, {})


@pytest.mark.parametrize(
    ("subject", "event_type"),
    [
        ("b1", "interaction.completed"),
        ("b1", "batch.started"),
        ("b1", "relay.job.overdue"),
        ("B1", "batch.succeeded"),
        ("b2", "batch.succeeded"),
    ],
)
async def test_only_ends_of_that_kind_count(world: World, subject: str, event_type: str) -> None:
    world.add("batch", BATCH)
    world.deliver(subject, event_type)
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    assert (await world.run()).announced == 1


@pytest.mark.parametrize("subject", ["files/f1", "f1", "files/f2", "f2", OPERATION])
async def test_the_event_of_a_video_bears_its_files_name(world: World, subject: str) -> None:
    job = world.add("video", OPERATION)
    world.deliver(subject, "video.generated")
    world.gemini.answers[OPERATION_PATH] = video(FILE_URI, FILE_URI.replace("f1", "f2"))
    assert (await world.run()).body() == report(examined=1, ended=1, absorbed=1)
    assert world.alias("video", "files/f1") == world.alias("video", "f2") == job


async def test_of_several_files_the_first_is_announced(world: World) -> None:
    world.add("video", OPERATION)
    world.gemini.answers[OPERATION_PATH] = video(FILE_URI, FILE_URI.replace("f1", "f2"))
    await world.run()
    [(body, _)] = world.topic.messages
    assert (body["data"]["file_id"], body["data"]["video_uri"]) == ("files/f1", FILE_URI)


async def test_a_video_elsewhere_has_no_file(world: World) -> None:
    job = world.add("video", OPERATION)
    world.gemini.answers[OPERATION_PATH] = video("gs://bucket/v.mp4")
    await world.run()
    [(body, _)] = world.topic.messages
    assert body["data"].keys() == {"video_uri", "user_metadata"}
    assert world.record(job).status == "generated"


# Actions.


async def test_an_action_is_announced_once(world: World) -> None:
    job = world.add("interaction", INTERACTION)
    world.gemini.answers[INTERACTION_PATH] = {"status": "requires_action"}
    assert (await world.run()).body() == report(examined=1, announced=1)
    [(body, attributes)] = world.topic.messages
    assert body["type"] == "interaction.requires_action"
    assert body["data"]["id"] == INTERACTION
    assert attributes["dedup-key"] == reconciled.event_id(job, "action")
    record = world.record(job)
    assert (record.state, record.status, record.check_at) == (
        "running",
        "requires_action",
        NOW + HOUR,
    )
    assert record.announced == {}


async def test_an_announced_action_is_not_announced_again(world: World) -> None:
    announced = {"action": {"by": "rec_1", "at": NOW}}
    world.add("interaction", INTERACTION, announced=announced)
    world.gemini.answers[INTERACTION_PATH] = {"status": "requires_action"}
    assert (await world.run()).body() == report(examined=1)
    assert world.ledger.calls == []


async def test_an_action_whose_event_came_is_not_announced(world: World) -> None:
    world.add("interaction", INTERACTION)
    world.deliver(INTERACTION, "interaction.requires_action")
    world.gemini.answers[INTERACTION_PATH] = {"status": "requires_action"}
    assert (await world.run()).body() == report(examined=1, absorbed=1)


async def test_an_action_does_not_stand_for_an_end(world: World) -> None:
    world.add("interaction", INTERACTION)
    world.deliver(INTERACTION, "interaction.requires_action")
    world.gemini.answers[INTERACTION_PATH] = {"status": "completed"}
    assert (await world.run()).announced == 1


async def test_an_end_does_not_stand_for_an_action(world: World) -> None:
    world.add("interaction", INTERACTION)
    world.deliver(INTERACTION, "interaction.completed")
    world.gemini.answers[INTERACTION_PATH] = {"status": "requires_action"}
    assert (await world.run()).announced == 1


# Ends that the library has learnt.


async def test_an_end_that_the_library_learnt_is_announced(world: World) -> None:
    job = world.add("batch", BATCH, state="ended", status="succeeded", ended_at=NOW - HOUR)
    output = {"responsesFile": "files/r"}
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED", output=output)
    assert (await world.run()).body() == report(examined=1, ended=1, announced=1)
    assert world.topic.messages[0][0]["data"]["output_file_uri"] == "files/r"
    record = world.record(job)
    assert (record.check_at, record.ended_at) == (None, NOW - HOUR)


@pytest.mark.parametrize("answer", [404, 410, batch()])
async def test_what_gemini_has_forgotten_is_announced_as_recorded(
    world: World, answer: Any
) -> None:
    error = {"code": "13", "message": "no"}
    world.add("batch", BATCH, state="ended", status="failed", error=error)
    world.gemini.answers["/v1/batches/b1"] = answer
    await world.run()
    [(body, _)] = world.topic.messages
    assert body["type"] == "batch.failed"
    told = {"id": BATCH, "error_code": "13", "error_message": "no"}
    assert {name: body["data"][name] for name in told} == told


async def test_an_end_that_is_announced_costs_no_question(world: World) -> None:
    announced = {"end": {"by": "evt_1", "at": NOW, "type": "batch.failed"}}
    ended = world.add("batch", BATCH, state="ended", status="failed", announced=announced)
    half = world.add("batch", "batches/b2", announced=announced)
    refused = world.add("batch", None, state="refused")
    assert (await world.run()).body() == report(examined=3)
    assert world.gemini.asked == []
    assert [world.record(job).check_at for job in (ended, half, refused)] == [None] * 3
    assert (world.record(half).state, world.record(half).outcome) == ("ended", "failed")
    assert world.record(refused).state == "refused"


async def test_an_end_of_unknown_status_is_asked_again(world: World) -> None:
    job = world.add("batch", BATCH, state="ended", status="odd")
    assert (await world.run()).body() == report(examined=1)
    assert (world.record(job).state, world.record(job).check_at) == ("ended", NOW + HOUR)


# Overdue and lost.


async def test_a_passed_deadline_is_announced_once(world: World) -> None:
    job = world.add("batch", BATCH, age=2, deadline=NOW - HOUR)
    world.gemini.answers["/v1/batches/b1"] = batch()
    assert (await world.run()).body() == report(examined=1, overdue=1)
    [(body, attributes)] = world.topic.messages
    assert (body["type"], body["data"]["id"]) == ("relay.job.overdue", BATCH)
    assert attributes["webhook-id"] == reconciled.event_id(job, "overdue")
    assert world.record(job).overdue_at == NOW
    world.now += 2 * HOUR
    assert (await world.run()).body() == report(examined=1)


async def test_a_job_found_ended_is_not_overdue_however_late(world: World) -> None:
    world.add("batch", BATCH, age=500, deadline=NOW - 100 * HOUR)
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    assert (await world.run()).body() == report(examined=1, ended=1, announced=1)


@pytest.mark.parametrize("deadline", [None, NOW, NOW + HOUR])
async def test_before_its_deadline_a_job_is_not_overdue(world: World, deadline: Any) -> None:
    world.add("batch", BATCH, age=2, deadline=deadline)
    world.gemini.answers["/v1/batches/b1"] = batch()
    assert (await world.run()).overdue == 0


async def test_what_could_not_be_asked_is_not_overdue(world: World) -> None:
    world.add("batch", BATCH, age=80, deadline=NOW - HOUR)
    world.gemini.answers["/v1/batches/b1"] = 503
    assert (await world.run()).body() == report(examined=1, failed=1)


@pytest.mark.parametrize(
    ("kind", "name", "answer"),
    [
        ("batch", BATCH, batch()),
        ("batch", BATCH, 404),
        ("batch", BATCH, 410),
        ("interaction", None, None),
        ("video", None, None),
    ],
)
@pytest.mark.parametrize(("age", "lost"), [(71.9, 0), (72, 1), (500, 1)])
async def test_a_job_is_given_up_after_three_days(
    world: World, kind: str, name: str | None, answer: Any, age: float, lost: int
) -> None:
    job = world.add(kind, name, age=age)
    world.gemini.answers["/v1/batches/b1"] = answer
    assert (await world.run()).body() == report(examined=1, lost=lost)
    record = world.record(job)
    if not lost:
        assert (record.state != "lost", record.check_at) == (True, NOW + 6 * HOUR)
        return
    assert (record.state, record.check_at) == ("lost", None)
    assert record.expire_at == NOW + 30 * 24 * HOUR
    [(body, attributes)] = world.topic.messages
    assert (body["type"], body["data"]["id"]) == ("relay.job.lost", name or job)
    assert attributes["webhook-id"] == reconciled.event_id(job, "lost")


async def test_a_late_job_may_be_overdue_and_lost_at_once(world: World) -> None:
    world.add("batch", BATCH, age=100, deadline=NOW - HOUR)
    assert (await world.run()).body() == report(examined=1, overdue=1, lost=1)
    assert world.topic.types == ["relay.job.overdue", "relay.job.lost"]


async def test_a_fresh_404_is_not_given_up_however_short_the_patience(world: World) -> None:
    job = world.add("batch", BATCH, age=23.9)
    named = world.add("video", None, age=23.9)
    assert (await world.run(give_up=HOUR)).lost == 1
    assert (world.record(job).state, world.record(named).state) == ("running", "lost")


async def test_a_job_of_unknown_age_is_never_lost(world: World) -> None:
    world.add("batch", BATCH, created_at=None, started_at=None)
    assert (await world.run()).body() == report(examined=1)


async def test_a_lost_job_may_still_end(world: World) -> None:
    job = world.add("batch", BATCH, state="lost", age=100)
    other = world.add("batch", "batches/b2", state="lost", age=100)
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    assert (await world.run()).body() == report(examined=2, ended=1, announced=1)
    assert (world.record(job).state, world.record(other).check_at) == ("ended", None)


# A document as applications may leave it.


async def test_a_minimal_document_is_looked_at(world: World) -> None:
    job = names.key_id("minimal")
    fields = {"kind": "video", "state": "running", "token": "t", "shard": names.shard(job)}
    world.jobs.documents.commit([Write(f"jobs/{job}", {**fields, "check_at": NOW})])
    assert (await world.run()).body() == report(examined=1)
    assert world.record(job).check_at == NOW + timedelta(minutes=10)


async def test_an_unknown_kind_is_looked_at_and_lost(world: World) -> None:
    world.add("song", "songs/s", age=100)
    assert (await world.run()).body() == report(examined=1, lost=1)


# What others do meanwhile, and failures.


class Contended:
    """Has somebody else write a job's document before our own first writes of it."""

    def __init__(self, world: World, job: str, *writes: dict[str, Any]) -> None:
        self._world, self._path, self._writes = world, f"jobs/{job}", [*writes]
        self._commit = world.jobs.commit
        world.jobs.commit = self.commit  # type: ignore[method-assign]

    async def commit(self, *writes: Write) -> None:
        if self._writes and any(write.document == self._path for write in writes):
            documents = self._world.jobs.documents
            found = documents.read(self._path)
            assert found is not None
            documents.update(self._path, self._writes.pop(0), found.version)
        await self._commit(*writes)


async def test_a_conflict_is_read_again(world: World) -> None:
    job = world.add("batch", BATCH)
    Contended(world, job, *({"previous": str(number)} for number in range(5)))
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    assert (await world.run()).body() == report(examined=1, ended=1, announced=1)
    record = world.record(job)
    assert (record.state, record.previous) == ("ended", "4")


async def test_conflicts_without_end_are_a_failure(world: World) -> None:
    job = world.add("batch", BATCH)
    Contended(world, job, *({"previous": str(number)} for number in range(50)))
    world.gemini.answers["/v1/batches/b1"] = batch()
    assert (await world.run()).body() == report(examined=1, failed=1)
    assert world.record(job).check_at == NOW


async def test_an_event_that_comes_meanwhile_is_not_undone(world: World) -> None:
    job = world.add("batch", BATCH, age=1)
    announced = {"end": {"by": "evt_1", "type": "batch.succeeded"}}
    event = {"state": "ended", "status": "succeeded", "announced": announced, "check_at": None}
    Contended(world, job, event)
    world.gemini.answers["/v1/batches/b1"] = batch()
    assert (await world.run()).body() == report(examined=1)
    record = world.record(job)
    assert (record.state, record.check_at, record.announced) == ("ended", None, announced)


async def test_a_document_that_is_deleted_meanwhile_is_left_alone(world: World) -> None:
    job = world.add("batch", BATCH)
    commit = world.jobs.commit

    async def deleted(*writes: Write) -> None:
        if world.jobs.documents.read(f"jobs/{job}"):
            world.jobs.documents.delete(f"jobs/{job}")
        await commit(*writes)

    world.jobs.commit = deleted  # type: ignore[method-assign]
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    assert (await world.run()).body() == report(examined=1, ended=1, announced=1)
    assert world.names() == []


async def test_a_message_that_pubsub_refuses_is_a_failure(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    job = world.add("batch", BATCH)
    world.topic.failure = PublishRefused("too large")
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    assert (await world.run()).body() == report(examined=1, failed=1)
    assert (world.record(job).state, world.record(job).check_at) == ("running", NOW + HOUR)
    assert '"publish refused"' in capsys.readouterr().out


async def test_without_pubsub_nothing_is_recorded(world: World) -> None:
    job = world.add("batch", BATCH)
    world.topic.failure = PublishUnavailable("publish-deadline")
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    with pytest.raises(Unavailable):
        await world.run()
    assert (world.record(job).state, world.record(job).check_at) == ("running", NOW)


async def test_an_alias_of_another_job_stays(world: World) -> None:
    world.add("video", OPERATION)
    path = f"job_names/{names.document_id('video', 'files/f1')}"
    world.jobs.documents.commit([Write(path, {"job": names.key_id("other")})])
    world.gemini.answers[OPERATION_PATH] = video(FILE_URI)
    assert (await world.run()).announced == 1
    assert world.alias("video", "files/f1") == names.key_id("other")


async def test_a_look_that_takes_too_long_is_a_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.reconciler.worker.LOOK_SECONDS", 0.01)
    job = world.add("batch", BATCH)

    async def never(*_names: str, **_options: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.gemini.api, "_send", never)
    assert (await world.run()).body() == report(examined=1, failed=1)
    assert world.record(job).check_at == NOW + HOUR


async def test_no_secret_and_no_content_is_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add("interaction", INTERACTION)
    world.add("batch", BATCH)
    error = {"code": 1, "message": "the prompt said xyzzy"}
    world.gemini.answers[INTERACTION_PATH] = {"status": "failed", "error": error}
    refusal = httpx2.Response(500, json={"error": {"message": "the prompt said xyzzy"}})
    world.gemini.answers["/v1/batches/b1"] = refusal
    await world.run()
    logged = capsys.readouterr().out
    assert "event announced" in logged
    assert "nothing learnt" in logged
    for secret in ("xyzzy", "AIza", "t0ken"):
        assert secret not in logged


async def test_a_refused_key_is_no_fault_of_a_job(world: World) -> None:
    job = world.add("batch", BATCH)
    world.gemini.answers["/v1/batches/b1"] = 401
    with pytest.raises(GeminiRefused):
        await world.run()
    assert world.record(job).check_at == NOW


async def test_a_job_that_may_not_be_seen_holds_up_no_other(world: World) -> None:
    hidden, ended = world.add("batch", BATCH), world.add("batch", "batches/b2")
    world.gemini.answers["/v1/batches/b1"] = 403
    world.gemini.answers["/v1/batches/b2"] = batch(state="BATCH_STATE_SUCCEEDED")
    with pytest.raises(GeminiRefused):
        await world.run()
    assert world.record(hidden).check_at == NOW + HOUR
    await world.run()
    assert world.record(ended).state == "ended"
