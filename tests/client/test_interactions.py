"""Interactions through the real SDK: streamed, answered, followed up, cancelled, deleted."""

from datetime import timedelta

import pytest

from gemini_relay import Job, JobFailed, NotFound, Refused, StartUnknown, Unavailable, WaitTimeout
from localcloud.gemini import Settings
from tests.client.conftest import API_KEY, World, running

MODEL = "gemini-3-pro-preview"
CALL = {"type": "function_call", "id": "c1", "name": "approve", "arguments": {"amount": 5}}


async def research(world: World, **more: object) -> Job:
    return await world.jobs.interaction(
        **{"agent": "deep-research-pro", "input": "x", **more}  # type: ignore[arg-type]
    )


async def streamed(world: World, job: Job, idle: float = 30.0) -> list[str]:
    """Return the ids of a job's events; `idle` is in real seconds."""
    return [each.event_id async for each in world.jobs.stream(job, idle=idle)]


@pytest.mark.parametrize("kind", ["cut-array", "cut-frame", "cut-connection", "silence"])
async def test_a_stream_goes_on_over_each_cut_that_was_seen(world: World, kind: str) -> None:
    job = await research(world)
    steps = [{"type": "model_output", "content": [{"type": "text", "text": "one\ntwo\nthree\n"}]}]
    world.end(job.name, "completed", steps=steps)
    for after in (2, 2, 4):
        world.fault("interactions.stream", kind, after=after)
    ids = await streamed(world, job, idle=0.5 if kind == "silence" else 30.0)
    assert ids == [f"e{number}" for number in range(1, 8)]
    assert (await world.jobs.get(job.id)).kind == "interaction"


async def test_a_stream_of_a_job_that_waits_for_an_answer_ends(world: World) -> None:
    job = await research(world)
    world.end(job.name, "requires_action", steps=[CALL])
    ids = await streamed(world, job, idle=0.5)
    assert ids == [f"e{number}" for number in range(1, 6)]
    assert (await world.jobs.get(job.id)).status == "requires_action"


async def test_states_of_unknown_types_and_deltas_without_ids_do_not_stop_a_stream() -> None:
    settings = Settings(stream_states_as="type", deltas_without_ids=True)
    async with running(settings) as world:
        job = await research(world)
        world.end(job.name, "incomplete", steps=[CALL])
        events = [each async for each in world.jobs.stream(job)]
        assert [each.event_type for each in events] == [
            *("interaction.created", "step.start", "step.delta", "step.stop", "UNKNOWN")
        ]


async def test_a_function_call_is_pending_until_it_is_answered(world: World) -> None:
    job = await research(world, metadata={"team": "blue"})
    world.time.steps = [lambda: world.end(job.name, "requires_action", steps=[CALL])]

    answered = await world.jobs.answer(job, {"c1": {"approved": True}}, key="answer-1")

    [call] = await world.jobs.pending(job)
    assert (call.id, call.name, call.arguments) == ("c1", "approve", {"amount": 5})
    assert (answered.previous, answered.target) == (job.name, "deep-research-pro")
    assert answered.metadata == {"team": "blue"}
    found = world.gemini.jobs.interactions.find(str(answered.name))
    assert found.request["input"] == [
        {
            "type": "function_result",
            "call_id": "c1",
            "name": "approve",
            "result": {"approved": True},
        }
    ]
    again = await world.jobs.answer(job, {"c1": {"approved": True}}, key="answer-1")
    assert again.id == answered.id
    with pytest.raises(ValueError, match="c1"):
        await world.jobs.answer(job, {"c9": "no"})


async def test_a_question_in_words_is_answered_in_words(world: World) -> None:
    job = await research(world)
    world.end(job.name, "requires_action")
    assert await world.jobs.pending(job) == []
    answered = await world.jobs.answer(job, "yes, go on")
    found = world.gemini.jobs.interactions.find(str(answered.name))
    assert found.request["input"] == "yes, go on"


@pytest.mark.parametrize("named_as", ["agent", "model"])
@pytest.mark.parametrize("environment", ["remote", None])
async def test_a_managed_agent_goes_on_in_its_environment(
    world: World, named_as: str, environment: str | None
) -> None:
    given = {named_as: "antigravity-preview", "input": "x"}
    if environment:
        given["environment"] = environment
    job = await world.jobs.interaction(**given)  # type: ignore[arg-type]
    world.time.steps = [lambda: world.end(job.name, "completed")]

    following = await world.jobs.follow_up(job, input="and then?")

    before = world.gemini.jobs.interactions.find(str(job.name))
    after = world.gemini.jobs.interactions.find(str(following.name))
    assert after.request[named_as] == "antigravity-preview"
    assert after.environment_id == (before.environment_id or after.environment_id) != ""
    assert after.request["previous_interaction_id"] == job.name


async def test_nothing_follows_a_job_that_failed(world: World) -> None:
    job = await research(world)
    world.end(job.name, "failed")
    with pytest.raises(JobFailed) as failed:
        await world.jobs.follow_up(job, input="and then?")
    assert failed.value.job.error == {
        "code": "INTERNAL",
        "message": "The interaction failed.",
    }


async def test_a_cancellation_is_waited_for_where_the_lookup_lags() -> None:
    async with running(Settings(cancel_lag_seconds=1e9)) as world:
        job = await research(world)
        with pytest.raises(WaitTimeout):
            await world.jobs.cancel(job, wait=60)
        assert world.time.monotonic() - world.time.clock().monotonic() == 0
        hidden = world.gemini.jobs.interactions.find(str(job.name))

        def show() -> None:
            hidden.hidden_until = 0.0

        other = await research(world)
        hidden = world.gemini.jobs.interactions.find(str(other.name))
        world.time.steps = [lambda: None, show]
        cancelled = await world.jobs.cancel(other)
        assert (cancelled.state, cancelled.outcome) == ("ended", "cancelled")


async def test_an_accepted_cancellation_is_asked_for_again_where_there_is_no_answer(
    world: World,
) -> None:
    job = await research(world)
    world.fault("interactions.get", "error-before", status=503, times=3)
    assert (await world.jobs.cancel(job)).outcome == "cancelled"

    job = await research(world)
    world.fault("interactions.get", "error-before", status=503, times=100)
    before = world.time.monotonic()
    with pytest.raises(Unavailable):
        await world.jobs.cancel(job, wait=30)
    assert world.time.monotonic() - before >= 30


async def test_what_has_ended_already_is_returned_as_it_ended_by_cancel(world: World) -> None:
    job = await research(world)
    world.end(job.name, "completed")
    assert (await world.jobs.cancel(job)).outcome == "succeeded"
    posted = [each.operation for each in world.gemini.gate.log]
    assert posted.count("interactions.cancel") == 1
    assert (await world.jobs.cancel(job)).outcome == "succeeded"
    assert [each.operation for each in world.gemini.gate.log].count("interactions.cancel") == 1


async def test_a_missing_method_is_told_from_a_missing_job() -> None:
    settings = Settings(agents_can_be_cancelled=False, api_keys=frozenset({API_KEY}))
    async with running(settings) as world:
        job = await research(world)
        with pytest.raises(Refused) as refused:
            await world.jobs.cancel(job)
        assert (refused.value.status, refused.value.code) == (404, "METHOD_NOT_FOUND")
        missing = await research(world)
        world.gemini.jobs.interactions.jobs.remove(str(missing.name))
        with pytest.raises(NotFound):
            await world.jobs.cancel(missing)
        # It can be deleted all the same.
        await world.jobs.delete(job)
        assert [each.id for each in world.gemini.jobs.interactions.jobs] == []


async def test_delete_cancels_what_runs_and_a_missing_job_counts_as_deleted(world: World) -> None:
    interaction = await research(world)
    batch = await world.jobs.batch(model=MODEL, src="files/in")
    video = await world.jobs.video(model="veo-3", prompt="waves")
    made = world.gemini.jobs.videos.jobs.find(str(video.name).rpartition("/")[2])
    world.gemini.jobs.videos.advance(made, "succeeded")

    for job, outcome in ((interaction, "cancelled"), (batch, "cancelled"), (video, "succeeded")):
        assert (await world.jobs.delete(job)).outcome == outcome
        assert (await world.jobs.delete(job)).outcome == outcome
        assert (await world.jobs.get(job.id)).outcome == outcome
    operations = [each.operation for each in world.gemini.gate.log]
    assert operations.count("interactions.cancel") == operations.count("batches.cancel") == 1
    assert "files.delete" in operations


async def test_delete_raises_for_what_it_leaves_running(world: World) -> None:
    video = await world.jobs.video(model="veo-3", prompt="waves")
    with pytest.raises(Refused) as refused:
        await world.jobs.delete(video)
    assert refused.value.code == "NOT_CANCELLABLE"
    assert (await world.jobs.refresh(video)).state == "running"
    videos = world.gemini.jobs.videos
    videos.advance(videos.jobs.find(str(video.name).rpartition("/")[2]), "succeeded")
    await world.jobs.refresh(video)
    world.fault("videos.get", "error-before", status=404)
    assert (await world.jobs.delete(video)).outcome == "succeeded"


@pytest.mark.parametrize("cancellable", [True, False])
async def test_a_fresh_job_that_gemini_does_not_know_yet_is_not_gone(cancellable: bool) -> None:
    settings = Settings(agents_can_be_cancelled=cancellable, api_keys=frozenset({API_KEY}))
    async with running(settings) as world:
        job = await research(world)
        world.gemini.jobs.interactions.jobs.remove(str(job.name))
        with pytest.raises(NotFound, match="delete it again later"):
            await world.jobs.delete(job)
        assert (await world.jobs.get(job.id)).state == "running"
        world.time.time += timedelta(hours=25)
        assert (await world.jobs.delete(job)).id == job.id


async def test_a_video_cannot_be_cancelled_and_an_unknown_start_neither(world: World) -> None:
    video = await world.jobs.video(model="veo-3", prompt="waves")
    with pytest.raises(Refused) as refused:
        await world.jobs.cancel(video)
    assert refused.value.code == "NOT_CANCELLABLE"
    world.fault("interactions.create", "lost-request")
    with pytest.raises(StartUnknown) as unknown:
        await research(world)
    for call in (world.jobs.cancel, world.jobs.delete, world.jobs.pending):
        with pytest.raises(StartUnknown):
            await call(unknown.value.job)
