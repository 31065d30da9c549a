"""`hooks jobs`: what it prints, and the exit statuses that scripts rely on."""

import asyncio
import contextlib
import json
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from gemini_relay import Job, WaitTimeout
from hooks.cli import app
from hooks.deployment import Where, find
from hooks.jobs import actions
from hooks.jobs.actions import environ
from hooks.options import Target
from localcloud.core.errors import LocalCloudError
from tests.client.conftest import PROJECT, World, running

MODEL = ("--model", "gemini-3-pro-preview")
CALL = {"type": "function_call", "id": "c1", "name": "approve", "arguments": {"amount": 5}}


class Command:
    """Runs `hooks jobs` beside the loop on which the simulator lives."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.environ = world.environ()
        self.output = ""
        self.errors = ""

    async def run(self, *words: str) -> int:
        """Run a command and return its exit status, as `hooks.cli.main` decides it."""
        runner = CliRunner(env=self.environ)
        result = await asyncio.to_thread(runner.invoke, app, ["jobs", *words])
        self.output, self.errors = result.stdout, result.stderr
        if isinstance(result.exception, LocalCloudError):
            self.output += str(result.exception)
            return result.exception.exit_code
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code

    async def json(self, *words: str) -> Any:
        assert await self.run(*words, "--json") == 0, self.output
        return json.loads(self.output)


@pytest.fixture
async def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Command]:
    monkeypatch.chdir(tmp_path)
    async with running() as world:
        yield Command(world)


async def test_a_job_is_started_listed_waited_for_and_its_result_printed(
    command: Command, tmp_path: Path
) -> None:
    words = ("start", "interaction", *MODEL, "--input", "Why?", "--key", "k", "--deadline", "+2h")
    job = await command.json(*words, "--metadata", "team=blue")
    assert (job["state"], job["key"], job["metadata"]) == ("running", "k", {"team": "blue"})
    assert (await command.json(*words, "--metadata", "team=blue"))["id"] == job["id"]
    assert await command.run(*words) == 1, "the key is taken"

    assert await command.run("wait", job["id"], "--timeout", "0") == 4
    assert await command.run("result", job["id"]) == 4
    listed = await command.json("list", "--state", "running")
    assert [each["id"] for each in listed["jobs"]] == [job["id"]]
    assert await command.run("list") == 0
    assert job["id"] in command.output

    command.world.end(
        job["name"],
        "completed",
        steps=[{"type": "model_output", "content": [{"type": "text", "text": "Because."}]}],
    )
    assert await command.run("wait", job["name"], "--timeout", "0") == 4
    assert (await command.json("show", job["id"], "--refresh"))["outcome"] == "succeeded"
    assert await command.run("wait", job["id"]) == 0
    assert await command.run("result", job["id"]) == 0
    assert command.output == "Because.\n"
    assert await command.run("stream", job["id"]) == 0
    assert command.output == "Because.\n"
    assert await command.run("result", job["id"], "--directory", "out", "--json") == 0
    [path] = json.loads(command.output)["files"]
    assert (tmp_path / path).stat().st_size > 0


async def let_its_post_end(command: Command, job: dict[str, Any]) -> None:
    """Let the two minutes pass in which the POST of a start may still be under way."""
    created = datetime.fromisoformat(job["created_at"]) - timedelta(minutes=2)
    await command.world.write(job["id"], {"created_at": created})


async def test_an_end_otherwise_is_3_and_what_cannot_be_known_5(command: Command) -> None:
    job = await command.json("start", "interaction", "--agent", "deep-research", "--input", "x")
    command.world.end(job["name"], "failed")
    assert await command.run("stream", job["id"]) == 3
    assert await command.run("wait", job["id"]) == 3
    assert await command.run("result", job["id"]) == 3

    command.world.fault("videos.create", "lost-reply")
    assert await command.run("start", "video", *MODEL, "--input", "waves", "--key", "clip") == 5
    assert "hooks jobs restart job_" in command.output
    [unknown] = (await command.json("list", "--state", "starting"))["jobs"]
    assert await command.run("restart", unknown["id"]) == 5, "its POST may be under way"
    assert "restart it in" in command.output
    await let_its_post_end(command, unknown)
    assert (await command.json("restart", unknown["id"]))["fingerprint"] is None
    again = await command.json("start", "video", *MODEL, "--input", "waves", "--key", "clip")
    assert (again["id"], again["state"]) == (unknown["id"], "running")
    await command.world.write(again["id"], {"state": "lost"})
    assert await command.run("wait", again["id"], job["id"]) == 5
    assert await command.run("show", "job_" + "0" * 32) == 5

    command.world.fault("interactions.create", "error-before", status=400)
    assert await command.run("start", "interaction", *MODEL, "--input", "x") == 3


async def test_a_job_that_runs_and_is_not_recorded_is_not_to_be_restarted(
    command: Command,
) -> None:
    create = command.world.gemini.jobs.interactions.create

    def then_refuse(body: Any) -> Any:
        command.world.refusals += [("Commit", grpc.StatusCode.PERMISSION_DENIED)]
        return create(body)

    command.world.gemini.jobs.interactions.create = then_refuse  # type: ignore[assignment, method-assign]
    assert await command.run("start", "interaction", *MODEL, "--input", "x", "--key", "k") == 5
    [made] = command.world.gemini.jobs.interactions.jobs
    assert "do not restart it" in command.output
    assert f"`hooks jobs wait {made.id}`" in command.output


async def test_an_action_is_shown_answered_and_the_rest_cancelled_and_deleted(
    command: Command,
) -> None:
    job = await command.json("start", "interaction", "--agent", "deep-research", "--input", "x")
    command.world.end(job["name"], "requires_action", steps=[CALL])
    waited = ("wait", job["id"], "--until", "action")
    assert await command.run("show", job["id"], "--refresh") == 0
    assert await command.run(*waited) == 0
    assert (await command.json("answer", job["id"]))["pending"] == [CALL]
    assert await command.run("answer", job["id"], "--call", "c2=1") == 2
    answered = await command.json("answer", job["id"], "--call", 'c1={"approved": true}')
    assert answered["previous"] == job["name"]
    assert (await command.json("cancel", answered["id"]))["outcome"] == "cancelled"
    assert await command.run("delete", answered["id"], "--yes") == 0
    assert await command.run("delete", answered["id"], "--yes") == 0

    batch = await command.json(
        "start", "batch", *MODEL, "--src", "files/in", "--set", "display_name=n"
    )
    found = command.world.gemini.jobs.batches.jobs.find(batch["name"].removeprefix("batches/"))
    assert found.display_name == f"n {batch['id']}"


async def test_a_job_is_deleted_once_that_is_confirmed(command: Command) -> None:
    job = await command.json("start", "interaction", *MODEL, "--input", "x")
    assert await command.run("delete", job["id"]) == 2
    assert "confirm with --yes" in command.output
    assert (await command.json("show", job["id"], "--refresh"))["state"] == "running"
    assert (await command.json("delete", job["id"], "--yes"))["id"] == job["id"]


async def test_a_stream_that_stops_at_a_question_is_no_success(command: Command) -> None:
    job = await command.json("start", "interaction", "--agent", "deep-research", "--input", "x")
    command.world.end(job["name"], "requires_action", steps=[CALL])
    assert await command.run("stream", job["id"], "--idle", "0.5") == 4
    assert f"`hooks jobs answer {job['id']}`" in command.errors


def test_a_stream_ends_as_the_job_though_a_plain_answer_lags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running_still = Job(id="i", kind="interaction", state="running")
    answers = {"refresh": running_still, "wait": replace(running_still, state="ended")}

    class Lagging:
        def get(self, _id: str) -> Job:
            return running_still

        def stream(self, _job: Job, **_how: Any) -> Iterator[Any]:
            return iter(())

        def refresh(self, _job: Job) -> Job:
            return answers["refresh"]

        def wait(self, _job: Job, *, timeout: float, until: str) -> Job:
            assert (timeout > 0, until) == (True, "action")
            if answers["wait"].ended:
                return answers["wait"]
            raise WaitTimeout(answers["wait"])

    @contextlib.contextmanager
    def lagging(_target: Target) -> Iterator[Lagging]:
        yield Lagging()

    monkeypatch.setattr(actions, "_jobs", lagging)
    for ended, status in (("succeeded", 0), ("failed", 3), ("", 4)):
        state = "ended" if ended else "running"
        answers["wait"] = replace(running_still, state=state, outcome=ended or None)
        result = CliRunner().invoke(app, ["jobs", "stream", "i"])
        assert result.exit_code == status, result.output


async def test_the_arguments_of_a_call_are_shown_as_they_are(command: Command) -> None:
    job = await command.json("start", "interaction", "--agent", "deep-research", "--input", "x")
    call = {**CALL, "arguments": {"path": "[/tmp/x]", "flags": [True, False]}}
    command.world.end(job["name"], "requires_action", steps=[call])
    assert await command.run("answer", job["id"]) == 0
    assert f"c1  approve({json.dumps(call['arguments'])})" in command.output


async def test_the_command_that_restarts_names_the_deployment(command: Command) -> None:
    command.world.fault("videos.create", "lost-reply")
    where = ("--project", PROJECT)
    words = ("start", "video", *MODEL, "--input", "waves", "--key", "clip", *where)
    assert await command.run(*words) == 5
    [restart] = re.findall(r"`(hooks jobs restart [^`]+)`", command.output)
    [unknown] = (await command.json("list", "--state", "starting"))["jobs"]
    await let_its_post_end(command, unknown)
    assert await command.run(*shlex.split(restart)[2:]) == 0
    assert restart.endswith(shlex.join(where))


async def test_mistakes_are_usage_errors(command: Command, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("from a file")
    for words in (
        ("start", "interaction", "--input", "x"),
        ("start", "interaction", *MODEL, "--input", "x", "--metadata", "team"),
        ("start", "interaction", *MODEL, "--input", "x", "--input-file", "prompt.txt"),
        ("start", "interaction", *MODEL, "--input-file", "missing.txt"),
        ("start", "nothing"),
        ("start", "interaction", *MODEL, "--input", "x", "--set", "model=y"),
        ("start", "video", *MODEL, "--input", "x", "--set", "prompt=y"),
        ("start", "batch", *MODEL, "--src", "files/in", "--set", "src=y"),
        ("start", "interaction", *MODEL, "--input", "x", "--deadline", "+9999999d"),
        ("answer", "job_" + "0" * 32, "--text", "yes", "--call", "c1=1"),
        ("list", "--state", "runing"),
        ("list", "--kind", "videos"),
    ):
        assert await command.run(*words) == 2, words
    assert command.world.posts() == []
    await command.json("start", "interaction", *MODEL, "--input-file", "prompt.txt")
    command.environ["JOBS_DATABASE"] = ""
    assert await command.run("list") == 2
    assert "JOBS_DATABASE" in command.output
    command.environ["GEMINI_API_KEY"] = ""
    assert await command.run("list") == 2


def test_a_deployment_is_named_by_its_outputs(tmp_path: Path) -> None:
    outputs = {
        "project": "prod",
        "topics": {"ingress": "i", "events": "e", "dead-letter": "d"},
        "dead_letter_subscription": "s",
        "ledger_database": "gemini-webhooks",
        "jobs_database": "gemini-jobs",
        "webhook_url": "",
        "registrar_url": "",
        "subscriptions": {},
    }
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs))
    assert find(Where(outputs=path), {}).jobs_database == "gemini-jobs"
    found = environ(Target(outputs=path), {"GEMINI_API_KEY": "key"})
    assert found["JOBS_DATABASE"] == "gemini-jobs"
    assert (found["GOOGLE_CLOUD_PROJECT"], found["GEMINI_API_KEY"]) == ("prod", "key")
