"""A job is started once under its key, and what cannot be known is called unknown."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import grpc
import httpx2
import pytest

from gemini_relay import (
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


POST = timedelta(seconds=120)
"""As long as a POST may take."""


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

    world.time.time += POST
    async with world.elsewhere() as elsewhere:
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


class Held(httpx2.AsyncBaseTransport):
    """A network that keeps a POST until it is let go."""

    def __init__(self) -> None:
        self.arrived, self.let_go = asyncio.Event(), asyncio.Event()
        self._network = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.arrived.set()
        await self.let_go.wait()
        return await self._network.handle_async_request(request)

    async def aclose(self) -> None:
        await self._network.aclose()


@dataclass
class Slow:
    """A start by another process whose POST is under way."""

    held: Held = field(default_factory=Held)
    job: asyncio.Task[Job] = field(init=False)

    async def end(self) -> Job:
        self.held.let_go.set()
        return await self.job


@contextlib.asynccontextmanager
async def posting_elsewhere(world: World, key: str) -> AsyncIterator[Slow]:
    slow = Slow()
    async with world.elsewhere(transport=slow.held) as elsewhere:
        starting = elsewhere.interaction(model=MODEL, input=SECRET_PROMPT, key=key)
        slow.job = asyncio.create_task(starting)
        await slow.held.arrived.wait()
        yield slow


async def test_a_start_waits_for_the_one_that_is_under_way_under_its_key(world: World) -> None:
    async with posting_elsewhere(world, "k") as slow:

        async def sleep(seconds: float) -> None:
            await world.time.sleep(seconds)
            await slow.end()

        clock = replace(world.time.clock(), sleep=sleep)
        async with world.elsewhere(clock=clock) as elsewhere:
            job = await elsewhere.interaction(model=MODEL, input=SECRET_PROMPT, key="k")
        assert job == await slow.job
    assert len(world.posts()) == 1
    assert len(world.time.slept) == 1


async def test_a_start_that_is_under_way_too_long_is_unknown_and_restart_waits_for_that(
    world: World,
) -> None:
    async with posting_elsewhere(world, "k") as slow:
        [before] = await world.jobs.list()
        with pytest.raises(StartUnknown, match="restart it in 120 s"):
            await world.jobs.restart(before)
        with pytest.raises(StartUnknown) as unknown:
            await start(world, key="k")
        assert sum(world.time.slept) == POST.total_seconds()
        assert max(world.time.slept) == 5

        freed = await world.jobs.restart(unknown.value.job)
        job = await start(world, key="k")
        assert (job.id, job.state) == (freed.id, "running")
        # The slow one is answered after all: the document remains that of the other.
        with pytest.raises(StartUnknown, match="started again") as superseded:
            await slow.end()
    assert len(world.posts()) == 2
    assert (await world.jobs.get(job.id)).name == job.name
    other = superseded.value.job
    assert other.name != job.name
    assert (await world.jobs.cancel(other)).outcome == "cancelled"
    assert (await world.jobs.refresh(job)).state == "running"


async def test_a_job_that_was_started_again_elsewhere_is_not_restarted(world: World) -> None:
    unknowns: list[Job] = []
    for _ in range(2):
        world.fault("interactions.create", "lost-request")
        with pytest.raises(StartUnknown) as unknown:
            await (world.jobs.restart(unknowns[0]) if unknowns else start(world, key="k"))
        unknowns.append(unknown.value.job)
        world.time.time += POST
    stale, job = unknowns
    async with world.elsewhere() as elsewhere:
        with pytest.raises(JobsError, match="was started again"):
            await elsewhere.restart(stale)
        assert (await elsewhere.restart(job)).fingerprint is None


async def test_a_start_goes_on_where_the_one_under_way_frees_the_key(world: World) -> None:
    world.fault("interactions.create", "error-before", status=429)
    async with posting_elsewhere(world, "k") as slow:

        async def sleep(seconds: float) -> None:
            await world.time.sleep(seconds)
            with pytest.raises(Unavailable):
                await slow.end()

        clock = replace(world.time.clock(), sleep=sleep)
        async with world.elsewhere(clock=clock) as elsewhere:
            job = await elsewhere.interaction(model=MODEL, input=SECRET_PROMPT, key="k")
    assert (job.state, len(world.posts())) == ("running", 2)


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

    world.fault("batches.create", "lost-reply")
    with pytest.raises(StartUnknown) as unknown:
        await world.jobs.batch(model=MODEL, src="files/in", key="nightly")
    assert (await world.jobs.restart(unknown.value.job)).state == "running"
    assert world.posts().count("batches.create") == 1, "its display name tells that it was started"

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


async def test_another_request_starts_under_the_key_of_one_that_was_refused(
    world: World,
) -> None:
    world.fault("interactions.create", "error-before", status=400)
    with pytest.raises(Refused):
        await start(world, key="k", input="mistaken")
    with pytest.raises(Refused, match="correct the request, or restart job_"):
        await start(world, key="k", input="mistaken")

    job = await start(world, key="k", input="corrected")

    document = (await world.documents())[job.id]
    assert (document["state"], document["error"], document["expire_at"]) == ("running", None, None)
    with pytest.raises(KeyTaken):
        await start(world, key="k", input="mistaken")
    assert len(world.posts()) == 2


@pytest.mark.parametrize("lost_reply", ["a conflict", "no answer"])
async def test_a_key_that_was_taken_over_is_used_where_the_reply_to_that_was_lost(
    world: World, lost_reply: str
) -> None:
    world.fault("interactions.create", "error-before", status=429)
    with pytest.raises(Unavailable):
        await start(world, key="k")
    ledger = world.jobs._lookup.needed("a test")
    write = ledger.write

    async def applied(*given: Any) -> bool:
        ledger.write = write  # type: ignore[method-assign]
        assert await write(*given)
        if lost_reply == "no answer":
            raise Unavailable("lost")
        # As Firestore's client, which writes again by itself.
        return False

    ledger.write = applied  # type: ignore[assignment, method-assign]
    assert (await start(world, key="k")).state == "running"
    assert len(world.posts()) == 2


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


async def test_a_ledger_that_fails_before_the_post_leaves_the_key_usable(world: World) -> None:
    world.refusals += [("Commit", grpc.StatusCode.DEADLINE_EXCEEDED)]
    assert (await start(world, key="k1")).state == "running"
    world.refusals += [("Commit", grpc.StatusCode.DEADLINE_EXCEEDED)] * 2
    with pytest.raises(Unavailable):
        await start(world, key="k2")
    assert (await start(world, key="k2")).state == "running"
    world.refusals += [("Commit", grpc.StatusCode.PERMISSION_DENIED)]
    with pytest.raises(ConfigurationError, match="Firestore"):
        await start(world, key="k3")
    world.refusals += [("RunQuery", grpc.StatusCode.FAILED_PRECONDITION)]
    with pytest.raises(ConfigurationError, match="Firestore"):
        await world.jobs.list()
    assert len(world.posts()) == 2


async def unrecorded(world: World, key: str) -> Job:
    """Start a job that Gemini accepts, and whose name cannot be recorded."""
    create = world.gemini.jobs.interactions.create

    def then_refuse(body: Any) -> Any:
        world.gemini.jobs.interactions.create = create  # type: ignore[method-assign]
        world.refusals += [("Commit", grpc.StatusCode.PERMISSION_DENIED)]
        return create(body)

    world.gemini.jobs.interactions.create = then_refuse  # type: ignore[assignment, method-assign]
    with pytest.raises(StartUnknown) as unknown:
        await start(world, key=key)
    job = unknown.value.job
    assert str(unknown.value).startswith(f"Gemini has started {job.name}, and the ledger")
    assert job.state == "running"
    return job


async def test_a_start_that_cannot_be_recorded_says_its_name_and_is_not_restarted(
    world: World,
) -> None:
    job = await unrecorded(world, "k")
    with pytest.raises(StartUnknown, match="not known"):
        await start(world, key="k")
    with pytest.raises(JobsError, match=f"running as {job.name}"):
        await world.jobs.restart(job)
    assert (await world.documents())[job.id]["name"] == job.name
    assert (await start(world, key="k")).name == job.name
    assert len(world.posts()) == 1


async def test_the_name_of_an_unrecorded_start_is_recorded_by_the_first_call_that_has_it(
    world: World,
) -> None:
    calls = (world.jobs.refresh, world.jobs.wait, world.jobs.cancel, world.jobs.result)
    for number, call in enumerate(calls):
        job = await unrecorded(world, f"k{number}")
        if call != world.jobs.cancel:
            world.end(job.name, "completed")
        await call(job)
        document = (await world.documents())[job.id]
        assert (document["state"], document["name"]) == ("ended", job.name)


async def test_contention_with_the_dispatcher_is_settled_by_reading_again(world: World) -> None:
    job = await start(world, key="k")
    world.end(job.name, "completed")
    world.refusals += [("Commit", grpc.StatusCode.ABORTED)]
    assert (await world.jobs.refresh(job)).succeeded
    assert (await world.documents())[job.id]["state"] == "ended"
