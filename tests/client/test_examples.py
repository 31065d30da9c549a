"""The examples of the client library do what they say."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from examples import approve_actions, nightly_batch, research_to_slack
from gemini_relay import JobFailed, Jobs, StartUnknown, asynchronous
from localcloud import gemini as simulator
from localcloud.core.serving import AppServer
from tests.client.conftest import FakeClock, World, running
from tests.support.loop_thread import LoopThread


class Target:
    """What the examples post to: Slack, and a bucket in which an object is created once."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.outages = 0
        self.objects: dict[str, bytes] = {}
        self.app = Starlette(
            routes=[
                Route("/slack", self._slack, methods=["POST"]),
                Route("/upload/storage/v1/b/results/o", self._upload, methods=["POST"]),
            ]
        )

    async def _slack(self, request: Request) -> Response:
        if self.outages:
            self.outages -= 1
            return Response("no_service", status_code=503)
        self.told.append(json.loads(await request.body()))
        return Response("ok")

    async def _upload(self, request: Request) -> Response:
        name = request.query_params["name"]
        assert request.query_params["ifGenerationMatch"] == "0"
        if name in self.objects:
            return Response(status_code=412)
        self.objects[name] = await request.body()
        return Response("{}")


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    with LoopThread() as thread:
        yield thread


@pytest.fixture(scope="module")
def world(loop: LoopThread) -> Iterator[World]:
    opened = running(simulator.Settings(job_seconds=2.5, time_scale=10.0))
    yield loop.run(opened.__aenter__())
    loop.run(opened.__aexit__(None, None, None))


@pytest.fixture
def target(loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    made = Target()
    server = AppServer(made.app)
    loop.run(server.__aenter__())
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    yield made
    loop.run(server.__aexit__(None, None, None))


@pytest.fixture
def jobs(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr(asynchronous, "Clock", lambda: FakeClock().clock())
    with Jobs.from_environ(world.environ()) as made:
        yield made


def when_started(world: World, action: Callable[[Any], None]) -> None:
    """Do something to the next interaction as soon as it has been started."""
    interactions = world.gemini.jobs.interactions
    create = interactions.create

    def watched(request: Any) -> Any:
        interactions.create = create  # type: ignore[method-assign]
        made = create(request)
        action(made)
        return made

    interactions.create = watched  # type: ignore[method-assign]


def test_research_is_told_to_slack_and_done_once_a_day(
    world: World, jobs: Jobs, target: Target, tmp_path: Path
) -> None:
    url = f"{os.environ['STORAGE_EMULATOR_HOST']}/slack"
    posted = len(world.posts())
    target.outages = 1
    with pytest.raises(httpx2.HTTPStatusError):
        research_to_slack.run(jobs, "Who makes TPUs?", url, tmp_path / "told")
    for _ in range(2):
        research_to_slack.run(jobs, "Who makes TPUs?", url, tmp_path / "told")
    assert len(world.posts()) - posted == 1
    [first] = target.told
    assert first["text"] == "Research: Who makes TPUs?"
    assert [block["type"] for block in first["blocks"]] == ["header", "section", "context"]
    assert first["blocks"][1]["text"] == {"type": "mrkdwn", "text": "Done."}

    when_started(world, lambda made: world.end(made.id, "failed"))
    for _ in range(2):
        research_to_slack.run(jobs, "What fails?", url, tmp_path / "told")
    [_, second] = target.told
    assert second["text"].startswith("No research on What fails?: job_")
    long = research_to_slack.message("q", jobs.list()[0], "x" * 5000)
    assert len(long["blocks"][1]["text"]["text"]) == 3000


def test_research_whose_start_is_unknown_is_told_once_it_is_known(
    loop: LoopThread, world: World, jobs: Jobs, target: Target, tmp_path: Path
) -> None:
    url = f"{os.environ['STORAGE_EMULATOR_HOST']}/slack"
    world.fault("interactions.create", "lost-reply")
    with pytest.raises(StartUnknown) as unknown:
        research_to_slack.run(jobs, "Who knows?", url, tmp_path / "told")
    assert target.told == []
    made = [*world.gemini.jobs.interactions.jobs][-1]
    loop.run(world.write(unknown.value.job.id, {"state": "running", "name": made.id}))
    research_to_slack.run(jobs, "Who knows?", url, tmp_path / "told")
    assert [each["text"] for each in target.told] == ["Research: Who knows?"]


def test_a_nightly_batch_ends_in_the_bucket_once(world: World, jobs: Jobs, target: Target) -> None:
    posted = len(world.posts())
    first = nightly_batch.run(jobs, "files/in", "results", "2026-11-26")
    again = nightly_batch.run(jobs, "files/in", "results", "2026-11-26")
    assert (first.id, len(world.posts()) - posted) == (again.id, 1)
    [(name, content)] = target.objects.items()
    assert name.startswith("batch/2026-11-26/batch-")
    assert name.endswith(".jsonl")
    assert content

    batches = world.gemini.jobs.batches
    create = batches.create

    def failing(*given: Any) -> Any:
        made = create(*given)
        batches.advance(made, "failed")
        return made

    batches.create = failing  # type: ignore[assignment, method-assign]
    with pytest.raises(JobFailed):
        nightly_batch.run(jobs, "files/in", "results", "2026-11-27")
    batches.create = create  # type: ignore[method-assign]
    assert len(target.objects) == 1


def test_an_agent_is_answered_until_it_has_ended(world: World, jobs: Jobs) -> None:
    call = {"type": "function_call", "id": "c1", "name": "refund", "arguments": {"order": "7"}}
    when_started(world, lambda made: world.end(made.id, "requires_action", steps=[call]))
    asked: list[tuple[str, dict[str, Any]]] = []

    def decide(name: str, arguments: dict[str, Any]) -> dict[str, bool]:
        asked.append((name, arguments))
        return {"approved": True}

    ended = approve_actions.run(jobs, "Refund order 7", decide)
    assert asked == [("refund", {"order": "7"})]
    assert ended.succeeded
    answered = world.gemini.jobs.interactions.find(str(ended.name))
    assert answered.request["input"][0]["result"] == {"approved": True}
    assert Path(approve_actions.__file__).name == "approve_actions.py"
