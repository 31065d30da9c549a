"""Every block of the client's README runs: the guides' way against the simulator, and ours."""

import functools
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from typer.testing import CliRunner

from gemini_relay import Job, Jobs, asynchronous
from hooks.cli import app
from localcloud import gemini as simulator
from tests.client.conftest import FakeClock, World, running
from tests.support.loop_thread import LoopThread

README = (Path(__file__).resolve().parents[2] / "client/README.md").read_text("utf-8")
SECTION = re.compile(r"^##+ (.+?)$(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python( guide)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (f"{heading} ({'guide' if kind else 'ours'})", code)
    for heading, section in SECTION.findall(README)
    for kind, code in BLOCK.findall(section)
]
FIRST = BLOCK.findall(README)[0][1]
COMMANDS = re.findall(r"`hooks (webhook [^`]+)`", README)
CALL = {"type": "function_call", "id": "c1", "name": "approve", "arguments": {}}


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    with LoopThread() as thread:
        yield thread


@pytest.fixture(scope="module")
def world(loop: LoopThread) -> Iterator[World]:
    """A simulator whose jobs end by themselves at once."""
    opened = running(simulator.Settings(job_seconds=1.0, time_scale=50.0))
    yield loop.run(opened.__aenter__())
    loop.run(opened.__aexit__(None, None, None))


@pytest.fixture
def quick(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No sample waits for long, and all find the simulator."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda _seconds: sleep(0.02))
    monkeypatch.setattr(asynchronous, "Clock", lambda: FakeClock().clock())
    for name, value in world.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requests.jsonl").write_text('{"key": "1", "request": {}}\n')


def left(world: World, loop: LoopThread, names: dict[str, Any], status: str, **more: Any) -> None:
    """Leave a job in a state, under the names that the samples use."""

    async def leave() -> Job:
        kept = world.gemini.jobs.interactions.jobs
        kept.later = lambda *_given: None  # type: ignore[method-assign]
        try:
            job = await world.jobs.interaction(agent="deep-research-pro-preview", input="x")
        finally:
            del kept.later
        if status != "in_progress":
            world.end(job.name, status, **more)
        return job

    names["job"] = loop.run(leave())
    names["interaction"] = names["client"].interactions.get(names["job"].name)


def has_a_batch(world: World, loop: LoopThread, _names: dict[str, Any]) -> None:
    """Leave a batch that runs."""
    loop.run(world.jobs.batch(model="gemini-3-flash-preview", src="files/in"))


BEFORE: dict[str, Callable[..., None]] = {
    "Ask a follow-up question": functools.partial(left, status="completed"),
    "Answer a function call": functools.partial(left, status="requires_action", steps=[CALL]),
    "Cancel, and delete": functools.partial(left, status="in_progress"),
    "List, look up, cancel and delete batches": has_a_batch,
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("name", "code"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_a_sample_runs(name: str, code: str, world: World, loop: LoopThread) -> None:
    heading = name.partition(" (")[0]
    if heading == "Make a video" and name.endswith("(guide)"):
        # As the README says, the SDK refuses it: that is why there is `jobs.video`.
        with (
            genai.Client() as client,
            warnings.catch_warnings(action="ignore"),
            pytest.raises(ValueError, match="not in Gemini Developer"),
        ):
            exec(compile(code, name, "exec"), {"client": client, "time": time})  # noqa: S102
        return
    with Jobs.from_environ() as jobs, genai.Client() as client:
        names: dict[str, Any] = {"jobs": jobs, "client": client, "time": time}
        if heading in BEFORE:
            BEFORE[heading](world, loop, names)
        posted = len(world.posts())
        exec(compile(code, name, "exec"), names)  # noqa: S102
        assert len(world.posts()) - posted == code.count("create(") + len(
            re.findall(r"jobs\.(interaction|batch|video|follow_up|answer)\(", code)
        )


@pytest.mark.usefixtures("quick")
def test_the_first_sample_starts_one_report_however_often_it_runs(world: World) -> None:
    posted = len(world.posts())
    for _ in range(2):
        names: dict[str, Any] = {}
        exec(compile(FIRST, "README", "exec"), names)  # noqa: S102
        assert names["report"] == "Done."
        assert names["job"].metadata == {"team": "blue"}
    assert len(world.posts()) - posted == 1


@pytest.mark.usefixtures("quick")
def test_what_the_guide_does_to_webhooks_hooks_does_from_a_terminal(world: World) -> None:
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        result = CliRunner(env=world.environ()).invoke(app, command.split())
        assert result.exit_code == 0, f"{command}: {result.output}"
    asked = [each.operation for each in world.gemini.gate.log if "webhooks" in each.operation]
    assert {f"webhooks.{word}" for word in ("create", "list", "get", "rotate", "delete")} <= {
        *asked
    }


def test_no_sample_leaves_a_thread() -> None:
    assert "gemini-relay" not in {thread.name for thread in threading.enumerate()}
