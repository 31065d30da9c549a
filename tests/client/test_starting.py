"""A job is started once under its key, and what cannot be known is called unknown."""

from typing import Any

import pytest

from gemini_relay import (
    AsyncJobs,
    ConfigurationError,
    Job,
    JobsError,
    KeyTaken,
    NotFound,
    Refused,
    StartUnknown,
    Unavailable,
)
from tests.client.conftest import API_KEY, World, running

MODEL = "gemini-3-pro-preview"
SECRET_PROMPT = "the plans for the merger"


async def start(world: World, **more: Any) -> Job:
    return await world.jobs.interaction(**{"model": MODEL, "input": SECRET_PROMPT, **more})


async def test_the_document_is_written_before_the_post_and_the_name_with_its_alias_after_it(
    world: World,
) -> None:
    job = await start(world, key="report-42", metadata={"team": "blue"})

    [(identifier, document)] = (await world.documents()).items()
    assert (identifier, document["state"], document["name"]) == (job.id, "running", job.name)
    assert document["started_at"] >= document["created_at"]
    assert [alias["job"] for alias in (await world.documents("job_names")).values()] == [job.id]
    assert world.calls["Commit"] == 2
    found = world.gemini.jobs.interactions.find(str(job.name))
    assert dict(found.config.user_metadata or {}) == {
        "team": "blue",
        "relay_job": f"{job.id}.{document['token']}",
    }
    assert found.config.uris == ()


async def test_neither_the_ledger_nor_a_job_holds_prompt_or_key(world: World) -> None:
    job = await start(world, key="report-42")
    await world.jobs.batch(model=MODEL, src="files/in", key="nightly")
    await world.jobs.video(model="veo-3", prompt=SECRET_PROMPT, key="clip")
    written = repr(await world.documents()) + repr(job) + repr(job.described())
    assert SECRET_PROMPT not in written
    assert API_KEY not in written


async def test_the_same_key_returns_the_job_and_posts_nothing(world: World) -> None:
    first = await start(world, key="report-42")
    assert (await start(world, key="report-42")).id == first.id
    assert len(world.posts()) == 1


async def test_the_same_key_with_another_request_is_taken(world: World) -> None:
    first = await start(world, key="report-42")
    for other in ({"input": "something else"}, {"metadata": {"team": "red"}}, {"model": "other"}):
        with pytest.raises(KeyTaken) as taken:
            await start(world, key="report-42", **other)
        assert taken.value.job.id == first.id
    assert len(world.posts()) == 1


async def test_jobs_without_a_key_are_all_started(world: World) -> None:
    assert len({(await start(world)).id for _ in range(2)}) == 2


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("error-before", {"status": 503}),
    ("error-after", {"status": 500}),
    ("error-before", {"status": 408}),
    ("lost-request", {}),
    ("lost-reply", {}),
    ("empty-reply", {}),
    ("html-reply", {}),
]
ACTED = {"error-after", "lost-reply", "empty-reply", "html-reply"}


@pytest.mark.parametrize("operation", ["interactions", "batches", "videos"])
async def test_a_start_without_a_usable_reply_is_unknown_and_is_posted_once(
    world: World, operation: str
) -> None:
    async def begin(key: str) -> Job:
        if operation == "interactions":
            return await start(world, key=key)
        if operation == "batches":
            return await world.jobs.batch(model=MODEL, src="files/in", key=key)
        return await world.jobs.video(model="veo-3", prompt="waves", key=key)

    for number, (kind, more) in enumerate(FAULTS, start=1):
        world.fault(f"{operation}.create", kind, **more)
        with pytest.raises(StartUnknown) as unknown:
            await begin(kind + str(more))
        assert unknown.value.job.state == "starting"
        if operation == "batches" and kind in ACTED:
            # A batch's display name ends in the job's id, which tells that it was started.
            assert (await begin(kind + str(more))).state == "running"
        else:
            with pytest.raises(StartUnknown):
                await begin(kind + str(more))
        assert len(world.posts()) == number


async def test_an_event_settles_an_unknown_start(world: World) -> None:
    world.fault("interactions.create", "lost-reply")
    with pytest.raises(StartUnknown) as unknown:
        await start(world, key="k")
    ended = {"state": "ended", "status": "completed", "outcome": "succeeded", "name": "v1_x"}
    await world.write(unknown.value.job.id, ended)
    assert (await start(world, key="k")).succeeded
    assert len(world.posts()) == 1


async def test_restart_elsewhere_frees_the_key_and_the_next_start_has_another_token(
    world: World,
) -> None:
    world.fault("interactions.create", "lost-request")
    with pytest.raises(StartUnknown) as unknown:
        await start(world, key="k")
    before = (await world.documents())[unknown.value.job.id]["token"]

    async with AsyncJobs.from_environ(world.environ()) as elsewhere:
        freed = await elsewhere.restart(unknown.value.job)
    assert (freed.state, freed.fingerprint) == ("starting", None)
    assert len(world.posts()) == 1
    job = await start(world, key="k", input="another request is allowed")

    after = (await world.documents())[job.id]
    assert (job.id, job.state) == (freed.id, "running")
    assert after["token"] != before
    with pytest.raises(JobsError, match="was started"):
        await world.jobs.restart(job)
    with pytest.raises(NotFound):
        await world.jobs.restart(Job(id="job_" + "0" * 32, kind="batch", state="starting"))


async def test_restart_posts_again_where_the_request_is_still_known(world: World) -> None:
    for key in ("k", None):
        posted = len(world.posts())
        world.fault("interactions.create", "lost-reply")
        with pytest.raises(StartUnknown) as unknown:
            await start(world, key=key, metadata={"team": "blue"})
        before = (await world.documents())[unknown.value.job.id]["token"]
        job = await world.jobs.restart(unknown.value.job)
        assert (job.id, job.state) == (unknown.value.job.id, "running")
        assert job.metadata == {"team": "blue"}
        assert len(world.posts()) == posted + 2
        assert (await world.documents())[job.id]["token"] != before
    assert (await start(world, key="k", metadata={"team": "blue"})).state == "running"
    assert len(world.posts()) == 4

    world.fault("interactions.create", "error-before", status=400)
    with pytest.raises(Refused):
        await start(world, key="refused")
    [refused] = await world.jobs.list(state="refused")
    assert (await world.jobs.restart(refused)).state == "running"


async def test_a_refused_start_is_refused_again_under_its_key_without_a_post(
    world: World,
) -> None:
    for status in (400, 401, 403, 404, 409):
        world.fault("interactions.create", "error-before", status=status)
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await start(world, key=f"k{status}")
            assert refused.value.status == status
    assert len(world.posts()) == 5
    for document in (await world.documents()).values():
        assert (document["state"], document["check_at"]) == ("refused", None)
        assert "Injected" not in repr(document), "Google's message may quote the request"


async def test_too_many_requests_leave_the_key_free(world: World) -> None:
    world.fault("interactions.create", "error-before", status=429)
    with pytest.raises(Unavailable) as overloaded:
        await start(world, key="k")
    assert overloaded.value.status == 429
    assert (await start(world, key="k")).state == "running"
    [document] = (await world.documents()).values()
    assert (document["state"], document["error"]) == ("running", None)


async def test_what_the_sdk_refuses_is_refused_and_nothing_is_posted(world: World) -> None:
    with pytest.raises(Refused) as refused:
        await world.jobs.batch(model=MODEL, src="files/in", key="k", no_such_field=SECRET_PROMPT)
    assert refused.value.code == "INVALID_REQUEST"
    assert SECRET_PROMPT not in str(refused.value)
    assert world.posts() == []


async def test_a_batch_cannot_be_told_to_repeat_its_post(world: World) -> None:
    world.fault("batches.create", "error-before", times=5)
    options = {"retry_options": {"attempts": 5}, "timeout": 5000}
    with pytest.raises(StartUnknown):
        await world.jobs.batch(model=MODEL, src="files/in", http_options=options)
    assert len(world.posts()) == 1


async def test_an_event_that_comes_before_the_reply_is_kept(world: World) -> None:
    create = world.gemini.jobs.interactions.create

    def quick(body: Any) -> Any:
        made = create(body)
        world.gemini.jobs.interactions.advance(made, "completed")
        return made

    world.gemini.jobs.interactions.create = quick  # type: ignore[assignment, method-assign]
    job = await start(world, key="k")
    assert (job.state, job.outcome) == ("ended", "succeeded")
    document = (await world.documents())[job.id]
    assert document["check_at"] is not None, "the reconciler announces it if no event comes"
    assert document["announced"] == {}


async def test_webhook_uris_make_the_webhook_a_dynamic_one() -> None:
    async with running(webhook_uris=("https://relay.example/hook",)) as world:
        job = await start(world)
        found = world.gemini.jobs.interactions.find(str(job.name))
        assert found.config.uris == ("https://relay.example/hook",)


async def test_without_a_ledger_a_job_is_known_by_its_name(alone: World) -> None:
    job = await start(alone, metadata={"team": "blue"})
    assert (job.id, job.state) == (job.name, "running")
    found = alone.gemini.jobs.interactions.find(str(job.name))
    assert dict(found.config.user_metadata or {}) == {"team": "blue"}
    assert (await alone.jobs.get(str(job.name))).status == "in_progress"
    alone.end(job.name, "completed")
    assert (await alone.jobs.refresh(job)).succeeded
    for needs_ledger in (
        start(alone, key="k"),
        alone.jobs.list(),
        alone.jobs.restart(job),
        alone.jobs.get(_ID),
    ):
        with pytest.raises(ConfigurationError, match="JOBS_DATABASE"):
            await needs_ledger
    assert len(alone.posts()) == 1


_ID = "job_" + "0" * 32


async def test_a_deadline_is_a_moment_or_a_time_from_now(world: World) -> None:
    from datetime import timedelta

    job = await start(world, deadline=timedelta(hours=2))
    assert job.deadline == world.time.time + timedelta(hours=2)
    with pytest.raises(ValueError, match="time zone"):
        await start(world, deadline=world.time.time.replace(tzinfo=None))


async def test_a_mistake_of_the_caller_is_a_value_error_and_starts_nothing(world: World) -> None:
    mistakes: list[dict[str, Any]] = [
        {"agent": "deep-research"},
        {"model": None},
        {"background": False},
        {"store": False},
        {"stream": True},
        {"key": ""},
        {"metadata": {"n": 1}},
        {"metadata": {"relay_job": "x"}},
        {"key": "k", "tools": [object()]},
    ]
    for mistake in mistakes:
        with pytest.raises(ValueError):  # noqa: PT011 - each has a text of its own
            await start(world, **mistake)
    assert world.posts() == []
    assert await world.documents() == {}
