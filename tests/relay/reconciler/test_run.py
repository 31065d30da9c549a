"""Which jobs a run looks at, in what order and at what pace, and what ends it."""

import asyncio
import itertools
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import httpx2
import pytest

from relay.errors import GeminiRefused, Unavailable
from relay.gcp.store import LedgerUnavailable
from relay.jobs import names
from relay.reconciler.report import Report
from tests.crash.virtual import runner
from tests.relay.reconciler.world import NOW, World, batch

HOUR = timedelta(hours=1)
RUNNING = {"status": "in_progress"}
LIST = "/v1/batches"

T = TypeVar("T")


@pytest.fixture
def world() -> World:
    return World()


def played(work: Coroutine[Any, Any, T]) -> T:
    """Run on a loop whose time passes by itself."""
    with runner() as virtual:
        return virtual.run(work)


def replaced(owner: object, method: str, by: Any) -> None:
    setattr(owner, method, by)


def fill(world: World, number: int, answer: Any = RUNNING) -> list[str]:
    """Add that many due interactions, the first one due first."""
    jobs = []
    for each in range(number):
        check_at = NOW - timedelta(seconds=number - each)
        jobs.append(world.add("interaction", f"i{each}", check_at=check_at))
        world.gemini.answers[f"/v1/interactions/i{each}"] = answer
    return jobs


async def test_without_jobs_a_run_asks_nothing(world: World) -> None:
    assert await world.run() == Report()
    assert world.gemini.asked == []
    assert world.jobs.calls == ["find"] * 16


async def test_only_what_is_due_is_looked_at(world: World) -> None:
    for hours in (0, -1, -1000):
        world.add("interaction", f"due{hours}", check_at=NOW + hours * HOUR)
    world.add("interaction", "later", check_at=NOW + timedelta(seconds=1))
    world.add("interaction", "never", check_at=None, state="running")
    assert (await world.run()).examined == 3
    assert not {"/v1/interactions/later", "/v1/interactions/never"}.intersection(world.gemini.asked)


async def test_every_shard_is_asked_the_longest_due_first(world: World) -> None:
    for shard in range(16):
        job = f"job_{shard:x}" + "0" * 31
        check_at = NOW - timedelta(minutes=(shard * 7) % 16)
        world.add("interaction", f"i{shard}", id=job, check_at=check_at)
    assert (await world.run(per_second=1 << 20)).examined == 16
    waited = [int(path.rpartition("/i")[2]) * 7 % 16 for path in world.gemini.asked]
    assert waited == sorted(waited, reverse=True)


async def test_a_full_shard_is_read_on(world: World) -> None:
    jobs = [f"job_a{number:031x}" for number in range(50)]
    for number, job in enumerate(jobs):
        # Many due at the very same time.
        world.add("interaction", f"i{number}", id=job, check_at=NOW - HOUR)
    assert (await world.run(per_second=1 << 20)).body()["examined"] == 50
    assert len(set(world.gemini.asked)) == 50


def test_looks_begin_at_the_pace(world: World) -> None:
    begun = []

    async def run() -> Report:
        fill(world, 10)
        loop = asyncio.get_running_loop()
        send = world.gemini.api._send

        async def noted(*arguments: Any) -> Any:
            begun.append(loop.time())
            return await send(*arguments)

        replaced(world.gemini.api, "_send", noted)
        return await world.run(per_second=4)

    assert played(run()).examined == 10
    assert [after - before for before, after in itertools.pairwise(begun)] == [0.25] * 9


def slow(world: World, seconds: float) -> None:
    """Have Gemini take that long for each answer."""
    send = world.gemini.api._send

    async def late(*arguments: Any) -> Any:
        await asyncio.sleep(seconds)
        return await send(*arguments)

    replaced(world.gemini.api, "_send", late)


def test_a_slow_answer_holds_up_no_other(world: World) -> None:
    async def run() -> float:
        fill(world, 20)
        slow(world, 2.0)
        await world.run(per_second=5)
        return asyncio.get_running_loop().time()

    assert played(run()) == pytest.approx(20 / 5 + 2, abs=0.3)


def test_few_looks_are_under_way_at_a_time(world: World) -> None:
    async def run() -> float:
        fill(world, 30)
        slow(world, 9.0)
        await world.run(per_second=5)
        return asyncio.get_running_loop().time()

    # Ten at a time.
    assert 27 <= played(run()) < 30


@pytest.mark.parametrize(("jobs", "budget", "examined"), [(300, 10, 50), (30, 240, 30), (60, 1, 5)])
def test_no_look_begins_after_the_budget(
    world: World, jobs: int, budget: int, examined: int
) -> None:
    async def run() -> Report:
        fill(world, jobs)
        return await world.run(per_second=5, budget=float(budget))

    report = played(run())
    assert report.examined == pytest.approx(examined, abs=1)
    assert report.left == jobs - report.examined


def test_what_is_left_comes_in_the_next_run(world: World) -> None:
    async def run() -> list[Report]:
        fill(world, 120)
        return [await world.run(per_second=5, budget=10.0) for _ in range(3)]

    reports = played(run())
    assert sum(report.examined for report in reports) == 120
    assert [report.left > 0 for report in reports] == [True, True, False]
    assert len(set(world.gemini.asked)) == 120


def test_too_many_calls_end_the_run(world: World) -> None:
    jobs = fill(world, 60)
    world.gemini.answers["/v1/interactions/i7"] = 429
    report = played(world.run(per_second=1))
    assert (report.examined, report.failed, report.left) == (7, 0, 53)
    assert world.record(jobs[7]).check_at == NOW - timedelta(seconds=53)


@pytest.mark.parametrize(
    "answer",
    [
        401,
        403,
        httpx2.Response(400, json={"error": {"details": [{"reason": "API_KEY_INVALID"}]}}),
    ],
)
def test_a_refused_key_ends_the_run(world: World, answer: Any) -> None:
    fill(world, 60)
    world.gemini.answers["/v1/interactions/i3"] = answer
    with pytest.raises(GeminiRefused) as caught:
        played(world.run(per_second=1))
    assert caught.value.key_refused
    assert len(world.gemini.asked) == 4


async def test_without_firestore_a_run_fails(world: World) -> None:
    fill(world, 3)

    async def unavailable(_query: Any) -> Any:
        raise LedgerUnavailable("ledger-down")

    world.gemini.answers["/v1/interactions/i1"] = {"status": "completed"}
    replaced(world.ledger, "find", unavailable)
    with pytest.raises(Unavailable, match="ledger-down"):
        await world.run()


# Batches whose name was never learnt.


def listed(job: str, number: int = 1, state: str = "BATCH_STATE_RUNNING", **more: Any) -> Any:
    created = "2027-01-15T06:00:00.123456789Z"
    name = {"displayName": f"my nightly batch {job}", "createTime": created}
    return batch(f"batches/b{number}", state, **name, **more)


async def test_a_batch_whose_reply_was_lost_is_found_in_the_list(world: World) -> None:
    job = world.add("batch", None, age=3)
    world.gemini.answers[LIST] = {"operations": [batch("batches/x"), listed(job)]}
    report = await world.run()
    assert (report.examined, report.ended, report.left) == (1, 0, 0)
    assert world.gemini.asked == [LIST]
    record = world.record(job)
    assert (record.state, record.status, record.name) == ("running", "running", "batches/b1")
    assert record.started_at is not None
    assert record.started_at.isoformat() == "2027-01-15T06:00:00.123456+00:00"
    assert record.check_at == NOW + (NOW - record.started_at)
    assert world.alias("batch", "batches/b1") == job
    assert world.topic.messages == []


async def test_one_found_ended_is_announced(world: World) -> None:
    job = world.add("batch", None, age=3)
    output = {"responsesFile": "files/r"}
    entry = listed(job, state="BATCH_STATE_SUCCEEDED", output=output)
    world.gemini.answers[LIST] = {"operations": [entry]}
    report = await world.run()
    assert (report.examined, report.ended, report.announced) == (1, 1, 1)
    [(body, _)] = world.topic.messages
    assert (body["type"], body["data"]["id"]) == ("batch.succeeded", "batches/b1")
    assert body["data"]["output_file_uri"] == "files/r"
    record = world.record(job)
    assert (record.state, record.name, record.check_at) == ("ended", "batches/b1", None)
    assert world.alias("batch", "b1") == job


async def test_one_whose_event_came_is_absorbed(world: World) -> None:
    job = world.add("batch", None, age=3)
    world.deliver("batch_b1", "batch.failed")
    world.gemini.answers[LIST] = {"operations": [listed(job, state="BATCH_STATE_FAILED")]}
    assert (await world.run()).absorbed == 1
    assert world.record(job).state == "ended"


async def test_the_list_is_read_to_its_end(world: World) -> None:
    job = world.add("batch", None)
    pages = [
        {"operations": [batch(f"batches/x{number}")], "nextPageToken": f"t{number}"}
        for number in range(3)
    ]
    world.gemini.answers[LIST] = [*pages, {"operations": [listed(job)]}]
    await world.run()
    tokens = [request.url.params.get("pageToken") for request in world.gemini.requests]
    assert tokens == [None, "t0", "t1", "t2"]
    assert world.record(job).name == "batches/b1"


async def test_the_list_is_read_no_further_than_needed(world: World) -> None:
    job = world.add("batch", None)
    world.gemini.answers[LIST] = [{"operations": [listed(job)], "nextPageToken": "t"}]
    await world.run()
    assert world.gemini.asked == [LIST]


async def test_a_batch_that_is_not_listed_goes_on_starting(world: World) -> None:
    job = world.add("batch", None, age=3)
    world.gemini.answers[LIST] = {}
    report = await world.run()
    assert (report.examined, report.failed, report.left) == (1, 0, 0)
    assert (world.record(job).state, world.record(job).check_at) == ("starting", NOW + 3 * HOUR)


async def test_named_jobs_come_before_the_list(world: World) -> None:
    world.add("batch", None, check_at=NOW - 5 * HOUR)
    world.add("batch", "batches/b2")
    world.gemini.answers[LIST] = {}
    await world.run()
    assert world.gemini.asked == ["/v1/batches/b2", LIST]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_list_that_is_refused_ends_the_run(world: World, status: int) -> None:
    job = world.add("batch", None)
    world.add("batch", "batches/b2")
    world.gemini.answers[LIST] = status
    report = await world.run(adopt=True)
    assert (report.examined, report.failed, report.left) == (1, 0, 1)
    assert world.record(job).check_at == NOW


async def test_a_list_without_a_key_ends_the_run(world: World) -> None:
    world.gemini.answers[LIST] = 403
    with pytest.raises(GeminiRefused):
        await world.run(adopt=True)


async def test_a_list_that_takes_too_long_ends_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.reconciler.asking.LOOK_SECONDS", 0.01)
    world.add("batch", None)
    slow(world, 5.0)
    report = await world.run()
    assert (report.examined, report.left) == (0, 1)


async def test_only_batches_need_the_list(world: World) -> None:
    world.add("video", None)
    world.add("interaction", None)
    assert (await world.run()).examined == 2
    assert world.gemini.asked == []


async def test_what_the_library_writes_meanwhile_stays(world: World) -> None:
    job = world.add("batch", None, age=3)
    commit = world.jobs.commit

    async def first(*writes: Any) -> None:
        replaced(world.jobs, "commit", commit)
        found = world.jobs.documents.read(f"jobs/{job}")
        assert found is not None
        fields = {"name": "batches/b1", "state": "running", "started_at": NOW - HOUR}
        world.jobs.documents.update(f"jobs/{job}", fields, found.version)
        await commit(*writes)

    replaced(world.jobs, "commit", first)
    world.gemini.answers[LIST] = {"operations": [listed(job)]}
    await world.run()
    record = world.record(job)
    assert (record.name, record.started_at, record.check_at) == (
        "batches/b1",
        NOW - HOUR,
        NOW + HOUR,
    )


# Adoption.


async def test_nothing_is_adopted_unless_asked_for(world: World) -> None:
    world.gemini.answers[LIST] = {"operations": [batch()]}
    await world.run()
    assert world.gemini.asked == []
    assert world.names() == []


async def test_a_running_batch_is_adopted(world: World) -> None:
    created = "2027-01-15T07:30:00Z"
    entry = batch("batches/b1", "BATCH_STATE_PENDING", createTime=created, displayName="mine")
    world.gemini.answers[LIST] = {"operations": [entry]}
    assert await world.run(adopt=True) == Report()
    [job] = world.names()
    assert job == names.adopted_id("batches/b1")
    record = world.record(job)
    assert (record.kind, record.state, record.status) == ("batch", "running", "pending")
    assert (record.name, record.key, record.target) == ("batches/b1", None, "flash")
    assert record.check_at == NOW + HOUR / 2
    assert len(record.token) > 20
    assert world.jobs.fields(f"jobs/{job}")["shard"] == names.shard(job)
    assert world.alias("batch", "b1") == job
    assert world.topic.messages == []


async def test_a_batch_is_adopted_once(world: World) -> None:
    world.gemini.answers[LIST] = {"operations": [batch(), batch()]}
    await world.run(adopt=True)
    token = world.record(world.names()[0]).token
    world.gemini.answers["/v1/batches/b1"] = batch()
    await world.run(adopt=True)
    assert len(world.names()) == 1
    assert world.record(world.names()[0]).token == token


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"])
async def test_a_batch_that_has_ended_is_not_adopted(world: World, state: str) -> None:
    entries = [batch(state=f"BATCH_STATE_{state}"), {"metadata": {}}, 7, {"name": "batches/x"}]
    world.gemini.answers[LIST] = {"operations": entries}
    await world.run(adopt=True)
    assert world.names() == []


async def test_a_batch_of_the_librarys_is_not_adopted(world: World) -> None:
    known = world.add("batch", "batches/b1", check_at=NOW + HOUR)
    await world.jobs.commit()
    alias = f"job_names/{names.document_id('batch', 'batches/b1')}"
    world.jobs.documents.create(alias, {"job": known})
    # Its reply is on its way: neither the name nor an alias is there yet.
    posted = world.add("batch", None, check_at=NOW + HOUR)
    world.gemini.answers[LIST] = {"operations": [batch(), listed(posted, 2)]}
    await world.run(adopt=True)
    assert sorted(world.names()) == sorted([known, posted])


async def test_a_batch_that_another_adopts_meanwhile_stays_theirs(world: World) -> None:
    world.gemini.answers[LIST] = {"operations": [batch()]}
    commit = world.jobs.commit

    async def late(*writes: Any) -> None:
        replaced(world.jobs, "commit", commit)
        await world.run(adopt=True)
        await commit(*writes)

    replaced(world.jobs, "commit", late)
    await world.run(adopt=True)
    assert world.names() == [names.adopted_id("batches/b1")]


def test_no_page_of_the_list_is_read_after_the_budget(world: World) -> None:
    async def run() -> Report:
        fill(world, 3)
        world.add("batch", None)
        slow(world, 4.0)
        return await world.run(budget=3.0)

    report = played(run())
    assert (report.examined, report.left) == (3, 1)
    assert LIST not in world.gemini.asked


async def test_an_adopted_batch_is_announced(world: World) -> None:
    world.gemini.answers[LIST] = {"operations": [batch(createTime="2027-01-15T06:00:00Z")]}
    await world.run(adopt=True)
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    world.gemini.answers[LIST] = {}
    report = await world.run(adopt=True)
    assert (report.examined, report.announced) == (1, 1)


async def test_an_adopted_batch_whose_event_came_before_is_absorbed(world: World) -> None:
    world.gemini.answers[LIST] = {"operations": [batch(createTime="2027-01-15T06:00:00Z")]}
    await world.run(adopt=True)
    world.deliver("batch_b1", "batch.succeeded")
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    world.gemini.answers[LIST] = {}
    assert (await world.run(adopt=True)).absorbed == 1
