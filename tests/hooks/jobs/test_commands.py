"""`hooks jobs`: what it prints, and the exit statuses that scripts rely on."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from hooks.cli import app
from hooks.deployment import Where, find
from hooks.jobs.actions import environ
from hooks.options import Target
from localcloud.core.errors import LocalCloudError
from tests.client.conftest import World, running

MODEL = ("--model", "gemini-3-pro-preview")
CALL = {"type": "function_call", "id": "c1", "name": "approve", "arguments": {"amount": 5}}


class Command:
    """Runs `hooks jobs` beside the loop on which the simulator lives."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.environ = world.environ()
        self.output = ""

    async def run(self, *words: str) -> int:
        """Run a command and return its exit status, as `hooks.cli.main` decides it."""
        runner = CliRunner(env=self.environ)
        result = await asyncio.to_thread(runner.invoke, app, ["jobs", *words])
        self.output = result.stdout
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
    created = datetime.fromisoformat(unknown["created_at"]) - timedelta(minutes=2)
    await command.world.write(unknown["id"], {"created_at": created})
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
    assert await command.run("delete", answered["id"]) == 0
    assert await command.run("delete", answered["id"]) == 0

    batch = await command.json(
        "start", "batch", *MODEL, "--src", "files/in", "--set", "display_name=n"
    )
    found = command.world.gemini.jobs.batches.jobs.find(batch["name"].removeprefix("batches/"))
    assert found.display_name == f"n {batch['id']}"


async def test_mistakes_are_usage_errors(command: Command, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("from a file")
    for words in (
        ("start", "interaction", "--input", "x"),
        ("start", "interaction", *MODEL, "--input", "x", "--metadata", "team"),
        ("start", "interaction", *MODEL, "--input", "x", "--input-file", "prompt.txt"),
        ("start", "interaction", *MODEL, "--input-file", "missing.txt"),
        ("start", "nothing"),
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
