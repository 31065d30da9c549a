"""Waiting reads the ledger often and asks Gemini rarely; a lost event delays it, no more."""

from datetime import timedelta

import pytest

from gemini_relay import Job, NotFound, StartUnknown, WaitTimeout, waiting
from localcloud.gemini import Settings
from tests.client.conftest import World, running

MODEL = "gemini-3-pro-preview"


async def start(world: World) -> Job:
    return await world.jobs.interaction(model=MODEL, input="x")


def asked(world: World) -> int:
    return [each.operation for each in world.gemini.gate.log].count("interactions.get")


async def test_an_end_in_the_ledger_is_seen_within_seconds_and_gemini_is_not_asked(
    world: World,
) -> None:
    job = await start(world)
    ended = {"state": "ended", "status": "completed", "outcome": "succeeded"}
    before = world.time.monotonic()
    world.time.steps = [lambda: None]
    await world.write(job.id, ended)
    assert (await world.jobs.wait(job)).succeeded
    assert (asked(world), world.time.monotonic() - before) == (0, 0)


async def test_where_the_event_is_lost_gemini_tells_the_end_and_the_reconciler_will_announce_it(
    world: World,
) -> None:
    job = await start(world)
    world.time.steps = [*[lambda: None] * 20, lambda: world.end(job.name, "completed")]
    waited = await world.jobs.wait(job)
    assert (waited.state, waited.outcome, waited.status) == ("ended", "succeeded", "completed")
    document = (await world.documents())[job.id]
    assert document["check_at"] == job.check_at
    assert (document["announced"], document["expire_at"] > waited.ended_at) == ({}, True)
    reads, questions = world.calls["BatchGetDocuments"], asked(world)
    # 5 s, and half as long again each time, against reads every 1 to 5 s.
    assert questions < reads / 2
    assert max(world.time.slept) <= 5.0


async def test_the_pauses_between_questions_grow_to_a_minute_and_for_batches_to_five(
    alone: World,
) -> None:
    job = await start(alone)
    with pytest.raises(WaitTimeout) as late:
        await alone.jobs.wait(job, timeout=600)
    assert late.value.job.status == "in_progress"
    slept = alone.time.slept
    assert [round(each, 2) for each in slept[:4]] == [5, 7.5, 11.25, 16.88]
    assert max(slept) == 60
    assert sum(slept) == pytest.approx(600)
    slept.clear()
    batch = await alone.jobs.batch(model=MODEL, src="files/in")
    with pytest.raises(WaitTimeout):
        await alone.jobs.wait(batch, timeout=3600)
    assert (slept[0], max(slept)) == (30, 300)


async def test_action_is_waited_for_where_that_is_asked(world: World) -> None:
    job = await start(world)
    world.time.steps = [lambda: None, lambda: world.end(job.name, "requires_action")]
    assert (await world.jobs.wait(job, until="action")).status == "requires_action"
    world.time.steps = [lambda: world.end(job.name, "incomplete")]
    assert (await world.jobs.wait(job)).outcome == "incomplete"


async def test_errors_and_unknown_states_are_waited_out(world: World) -> None:
    job = await start(world)
    for kind, more in (
        ("error-before", {"status": 503}),
        ("error-before", {"status": 429}),
        ("lost-reply", {}),
        ("html-reply", {}),
    ):
        world.fault("interactions.get", kind, **more)
    world.time.steps = [
        *[lambda: None] * 60,
        lambda: world.end(job.name, "idle"),
        *[lambda: None] * 40,
        lambda: world.end(job.name, "cancelled"),
    ]
    assert (await world.jobs.wait(job)).outcome == "cancelled"


async def test_a_new_job_that_gemini_does_not_know_yet_is_waited_for_and_an_old_one_is_gone() -> (
    None
):
    async with running(Settings(lookup_lag_seconds=1e9)) as world:
        job = await start(world)
        with pytest.raises(WaitTimeout):
            await world.jobs.wait(job, timeout=300)
        world.time.time += timedelta(hours=25)
        with pytest.raises(NotFound):
            await world.jobs.wait(job, timeout=300)


async def test_without_a_ledger_nothing_tells_of_an_unknown_start_but_a_batchs_name(
    alone: World,
) -> None:
    starts = {
        "interactions": start(alone),
        "videos": alone.jobs.video(model="veo-3", prompt="waves"),
    }
    for operation, begin in starts.items():
        alone.fault(f"{operation}.create", "lost-reply")
        with pytest.raises(StartUnknown) as unknown:
            await begin
        for call in (alone.jobs.wait, alone.jobs.refresh):
            with pytest.raises(StartUnknown, match="without a ledger"):
                await call(unknown.value.job)
    alone.fault("batches.create", "lost-reply")
    with pytest.raises(StartUnknown) as unknown:
        await alone.jobs.batch(model=MODEL, src="files/in")
    with pytest.raises(WaitTimeout) as late:
        await alone.jobs.wait(unknown.value.job, timeout=0)
    assert late.value.job.state == "running"


async def test_many_jobs_are_read_in_one_call_and_returned_in_their_order(world: World) -> None:
    jobs = [await start(world) for _ in range(5)]
    world.calls.clear()

    def end_most() -> None:
        for job in jobs[1:]:
            world.end(job.name, "completed")

    world.time.steps = [end_most]
    with pytest.raises(WaitTimeout) as late:
        await world.jobs.wait_many(jobs, timeout=60)
    assert late.value.job.id == jobs[0].id
    assert [job.succeeded for job in late.value.jobs] == [False, True, True, True, True]
    world.time.steps = [lambda: world.end(jobs[0].name, "failed")]
    ended = await world.jobs.wait_many(jobs)
    assert [job.id for job in ended] == [job.id for job in jobs]
    assert [job.outcome for job in ended] == ["failed", *["succeeded"] * 4]


async def test_a_lost_or_refused_job_is_not_waited_for(world: World) -> None:
    job = await start(world)
    await world.write(job.id, {"state": "lost", "check_at": None})
    assert (await world.jobs.wait(job)).state == "lost"
    world.end(job.name, "completed")
    assert (await world.jobs.refresh(job)).succeeded


async def test_jobs_are_listed_newest_first_by_state_and_kind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for number in range(6):
        world.time.time += timedelta(minutes=1)
        if number % 2:
            made.append(await start(world))
        else:
            made.append(await world.jobs.batch(model=MODEL, src="files/in"))
    world.end(made[5].name, "completed")
    await world.jobs.refresh(made[5])
    ids = [job.id for job in made]
    assert [job.id for job in await world.jobs.list()] == ids[::-1]
    assert [job.id for job in await world.jobs.list(limit=2)] == ids[:-3:-1]
    assert [job.id for job in await world.jobs.list(kind="batch")] == [ids[4], ids[2], ids[0]]
    assert [job.id for job in await world.jobs.list(state="ended")] == [ids[5]]
    # Each read is billed.
    monkeypatch.setattr("gemini_relay.ledger._MOST_SCANNED", 3)
    assert [job.id for job in await world.jobs.list(kind="batch")] == [ids[4]]


async def test_a_job_is_found_by_its_id_and_by_every_form_of_its_name(world: World) -> None:
    batch = await world.jobs.batch(model=MODEL, src="files/in")
    assert (await world.jobs.get(batch.id)).name == batch.name
    assert (await world.jobs.get(str(batch.name))).id == batch.id
    with pytest.raises(NotFound):
        await world.jobs.get("job_" + "0" * 32)
    with pytest.raises(NotFound):
        await world.jobs.get("v1_never")


async def test_a_write_that_meets_another_is_repeated_on_what_is_there_then(world: World) -> None:
    job = await start(world)
    world.end(job.name, "completed")
    look = world.jobs._lookup.look

    async def raced(kind: str, name: str) -> object:
        await world.write(job.id, {"announced": {"end": {"by": "msg_1"}}, "check_at": None})
        return await look(kind, name)

    world.jobs._lookup.look = raced  # type: ignore[assignment, method-assign]
    assert (await world.jobs.refresh(job)).succeeded
    document = (await world.documents())[job.id]
    assert (document["state"], document["announced"]) == ("ended", {"end": {"by": "msg_1"}})


async def test_a_lookup_that_hangs_does_not_hold_up_the_time_out(
    alone: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_GRACE", 0.05)
    job = await start(alone)
    alone.fault("interactions.get", "hang-before", times=100)
    with pytest.raises(WaitTimeout):
        await alone.jobs.wait(job, timeout=0)
