"""`Jobs` is `AsyncJobs` for code that blocks, in any thread, also beside a running loop."""

import asyncio
import copy
import dataclasses
import inspect
import os
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gemini_relay import AsyncJobs, ConfigurationError, Job, Jobs
from gemini_relay.background import BackgroundLoop
from tests.client.conftest import API_KEY, World

MODEL = "gemini-3-pro-preview"


def test_both_have_the_same_methods_with_the_same_parameters() -> None:
    for name, method in inspect.getmembers(AsyncJobs, inspect.isfunction):
        if not name.startswith("_"):
            counterpart = inspect.signature(getattr(Jobs, name))
            assert counterpart.parameters == inspect.signature(method).parameters, name


async def test_it_works_from_several_threads(world: World) -> None:
    def work() -> list[str]:
        with Jobs.from_environ(world.environ()) as jobs, ThreadPoolExecutor(4) as threads:
            names = [*threads.map(lambda number: _name(jobs, number), range(8))]
            job = jobs.list()[0]
            loop.call_soon_threadsafe(world.end, job.name, "completed")
            return [str(len(set(names))), *(e.event_type for e in jobs.stream(job))]

    loop = asyncio.get_running_loop()
    started, *events = await asyncio.to_thread(work)
    assert (started, events[-1]) == ("2", "interaction.completed")
    assert len(world.posts()) == 2


def _name(jobs: Jobs, number: int) -> str:
    # Where another thread is posting under this key, its job is waited for.
    return str(jobs.interaction(model=MODEL, input="x", key=f"k{number % 2}").name)


async def test_it_works_in_a_thread_whose_own_loop_is_running(world: World) -> None:
    async def within_a_loop() -> str:
        with Jobs.from_environ(world.environ()) as jobs:
            return jobs.get(jobs.interaction(model=MODEL, input="x").id).state

    assert await asyncio.to_thread(asyncio.run, within_a_loop()) == "running"


async def test_jobs_to_wait_for_may_be_looked_up_on_the_way(world: World) -> None:
    def work() -> str:
        with Jobs.from_environ(world.environ()) as jobs:
            names = [jobs.interaction(model=MODEL, input="x").id for _ in range(2)]
            for job in jobs.list():
                loop.call_soon_threadsafe(world.end, job.name, "completed")
            refreshed = (jobs.refresh(jobs.get(name)) for name in names)
            return str([job.outcome for job in jobs.wait_many(refreshed, timeout=30)])

    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(work) == "['succeeded', 'succeeded']"


def test_a_call_from_its_own_thread_is_an_error_and_no_deadlock() -> None:
    background = BackgroundLoop()

    async def call_again() -> None:
        background.run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="its own"):
        background.run(call_again())
    background.close()


async def test_a_call_blocks_its_own_thread_alone_and_close_ends_the_thread(world: World) -> None:
    # Called on the loop that the simulator runs on, only what needs no simulator can be answered.
    jobs = Jobs.from_environ(world.environ())
    with pytest.raises(ValueError, match="model or agent"):
        jobs.interaction(input="x")
    assert "gemini-relay" in {thread.name for thread in threading.enumerate()}
    jobs.close()
    jobs.close()
    with pytest.raises(RuntimeError, match="closed"):
        jobs.list()
    assert "gemini-relay" not in {thread.name for thread in threading.enumerate()}


def test_the_environment_is_checked_at_once_and_no_value_is_shown() -> None:
    for environ, text in (
        ({}, "GEMINI_API_KEY"),
        ({"GEMINI_API_KEY": " "}, "GEMINI_API_KEY"),
        ({"GEMINI_API_KEY": API_KEY, "JOBS_DATABASE": "gemini-jobs"}, "GOOGLE_CLOUD_PROJECT"),
        ({"GEMINI_API_KEY": API_KEY, "JOBS_DATABASE": "No!"}, "JOBS_DATABASE"),
        ({"GEMINI_API_KEY": API_KEY, "GOOGLE_GEMINI_BASE_URL": "nowhere"}, "BASE_URL"),
        ({"GEMINI_API_KEY": API_KEY, "WEBHOOK_URIS": "relay.example"}, "WEBHOOK_URIS"),
        ({"GEMINI_API_KEY": API_KEY, "WEBHOOK_URIS": "http://relay.example"}, "WEBHOOK_URIS"),
    ):
        with pytest.raises(ConfigurationError, match=text) as wrong:
            Jobs.from_environ(environ)
        assert API_KEY not in str(wrong.value)


def test_a_job_can_be_copied_pickled_and_compared() -> None:
    job = Job(id="job_1", kind="batch", state="running", metadata={"team": "blue"})
    assert pickle.loads(pickle.dumps(job)) == copy.deepcopy(job) == job  # noqa: S301 - our own
    assert {job, copy.copy(job)} == {job}
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.state = "ended"  # type: ignore[misc]


def test_a_forked_process_is_told_to_make_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    background = BackgroundLoop()
    assert background.run(asyncio.sleep(0, "before")) == "before"
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        with pytest.raises(RuntimeError, match="forked"):
            background.run(asyncio.sleep(0))
    background.close()


def test_a_ledger_without_its_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gemini_relay.ledger", raising=False)
    monkeypatch.setitem(sys.modules, "google.cloud.firestore", None)
    environ = {"GEMINI_API_KEY": "k", "GOOGLE_CLOUD_PROJECT": "p", "JOBS_DATABASE": "jobs"}
    with pytest.raises(ConfigurationError, match=r"gemini-relay\[ledger\]"):
        Jobs.from_environ(environ)
