"""The command as a person runs it: demo, dev, and what works beside dev."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from localcloud.laptop import keeper

ROOT = Path(__file__).parents[2]
HOOKS = (sys.executable, "-c", "from hooks.cli import main; main()")
ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": os.environ.get("HOME", "/"),
    "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}",
    "HOOKS_PORT_BASE": "0",
}


async def hooks(
    *arguments: str, cwd: Path, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    process = await asyncio.create_subprocess_exec(
        *HOOKS,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRON | (environ or {}),
        cwd=cwd,
    )
    output, errors = await process.communicate()
    status = process.returncode or 0
    return subprocess.CompletedProcess(arguments, status, output.decode(), errors.decode())


@dataclass
class Dev:
    """`hooks dev --json`, running in a directory of its own."""

    process: asyncio.subprocess.Process
    directory: Path
    stack: dict[str, Any]
    started: Sequence[str]
    family: Sequence[int]

    async def hooks(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return await hooks(*arguments, cwd=self.directory)

    async def ended(self) -> int:
        """Return the exit status once the command and all that it started have gone."""
        assert self.process.stdout
        await self.process.stdout.read()
        status = await self.process.wait()
        async with asyncio.timeout(30):
            # Nothing tells when a process that is not our child ends.
            while any(map(alive, self.family)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return status


@contextlib.asynccontextmanager
async def developing(directory: Path, *arguments: str) -> AsyncIterator[Dev]:
    process = await asyncio.create_subprocess_exec(
        *HOOKS,
        *("dev", "--json", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=ENVIRON,
        cwd=directory,
        start_new_session=True,
    )
    try:
        assert process.stdout
        seen = []
        while line := await process.stdout.readline():
            seen.append(line.decode())
            if "stack" in json.loads(line):
                stack = json.loads(line)["stack"]
                yield Dev(process, directory, stack, seen, descendants(process.pid))
                return
        pytest.fail("".join(seen))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def contents(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def descendants(pid: int) -> list[int]:
    """Return the ids of all processes below one."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found, wave = [], {pid}
    while wave:
        wave = {child for child, parent in pairs if parent in wave}
        found += sorted(wave)
    return found


def alive(pid: int) -> bool:
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    # A process that nobody has reaped yet is dead all the same.
    return bool(listed.stdout.strip()) and not listed.stdout.strip().startswith(b"Z")


async def test_the_demo_adds_up(tmp_path: Path) -> None:
    done = await hooks("demo", "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr + done.stdout
    facts = json.loads(done.stdout)
    assert facts["adds_up"]
    assert facts["lost"] == facts["surplus"] == []
    assert all(check["holds"] for check in facts["checks"])
    assert facts["accepted"] == facts["stored"] == facts["events"] + facts["duplicates_dropped"]
    assert facts["heard"]["events"] == facts["events"] > 20
    assert facts["duplicates_dropped"] > 5
    assert 0 < facts["heard"]["blue"] < facts["heard"]["subscriber"] < facts["events"]
    reasons = {refusal["reason"]: refusal for refusal in facts["refusals"]}
    assert {"bad-signature", "tampered-body", "old-timestamp"} <= reasons.keys()
    assert all(each["sent"] == each["refused"] > 0 for each in reasons.values())
    hostile = sum(each["sent"] for each in reasons.values())
    assert facts["deliveries"] == facts["accepted"] + hostile
    assert not contents(tmp_path)


async def test_dev_and_what_works_beside_it(tmp_path: Path) -> None:
    async with developing(tmp_path, "--jobs") as dev:
        assert dev.stack["variables"]["JOBS_DATABASE"] == "jobs"
        assert len(functions(dev.family)) == 4
        description = tmp_path / ".hooks" / "stack.json"
        assert stat.S_IMODE(description.stat().st_mode) == 0o600
        assert json.loads(description.read_text()) == dev.stack
        assert "whsec_" not in description.read_text()
        assert not [line for line in dev.started if "WARNING" in line]

        tailing = asyncio.create_task(
            dev.hooks(
                "tail", "--json", "--type", "batch.su*,x", "--type", "batch.n*", "--count", "2"
            )
        )
        while not (tail := await tailed(dev)):
            assert not tailing.done(), tailing.result()
        sent = await dev.hooks("send", "interaction.completed", "--times", "3", "--json")
        assert sent.returncode == 0, sent.stderr
        deliveries = json.loads(sent.stdout)["deliveries"]
        assert [each["attempts"][0]["status"] for each in deliveries] == [200] * 3
        (tmp_path / "body.json").write_text('{"type": "batch.new", "data": {"id": "b1"}}')
        for arguments in (
            ("batch.succeeded", "--scheme", "jwt", "--user-metadata", "team=blue"),
            ("ignored", "--body", "body.json", "--scheme", "v1a"),
        ):
            assert (await dev.hooks("send", *arguments)).returncode == 0
        shown = await tailing
        assert shown.returncode == 0, shown.stderr
        first, second = sorted(map(json.loads, shown.stdout.splitlines()), key=str)
        events = {each["attributes"]["ce-type"]: each for each in (first, second)}
        assert events.keys() == {"batch.succeeded", "batch.new"}
        assert events["batch.succeeded"]["attributes"]["meta-team"] == "blue"
        assert events["batch.new"]["data"] == {"type": "batch.new", "data": {"id": "b1"}}
        assert not await tailed(dev), f"{tail} is left"

        forged = await dev.hooks("send", "batch.failed", "--forge", "tampered")
        assert (forged.returncode, "401" in forged.stdout) == (0, True)
        late = await dev.hooks("send", "batch.failed", "--at", "-10m", "--json")
        assert json.loads(late.stdout)["deliveries"][0]["attempts"][0]["status"] == 401
        assert late.returncode == 1
        tailing = asyncio.create_task(dev.hooks("tail"))
        while not await tailed(dev):
            assert not tailing.done(), tailing.result()
        os.kill(dev.process.pid, signal.SIGINT)
        assert await dev.ended() == 0
        listening, ended = (await tailing).stderr.splitlines()
        assert listening.startswith("listening on projects/laptop/topics/")
        assert ended == "error: the stack has ended"
        assert not description.exists()


async def tailed(dev: Dev) -> list[str]:
    """Return the subscriptions that `hooks tail` has at present."""
    from localcloud.core import clients

    async with clients.subscriber(dev.stack["variables"]["PUBSUB_EMULATOR_HOST"]) as client:
        listed = await client.list_subscriptions(project="projects/laptop")
        return [each.name async for each in listed if "hooks-tail" in each.name]


async def test_dev_replaces_a_function_that_ends_and_keeps_its_state_when_killed(
    tmp_path: Path,
) -> None:
    keeping = ("--keep", "state")
    async with developing(tmp_path, *keeping) as dev:
        masters = functions(dev.family)
        assert len(masters) == 2
        for pid in masters:
            os.kill(pid, signal.SIGKILL)
        assert (await dev.hooks("send", "batch.succeeded")).returncode == 0
        replaced = replace(dev, family=descendants(dev.process.pid))
        assert len(functions(replaced.family)) == 2
        async with asyncio.timeout(30):
            while not any(b"done" in each for each in kept_documents(tmp_path)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        events = await done(dev)

        os.kill(dev.process.pid, signal.SIGKILL)

        assert await replaced.ended() == -signal.SIGKILL
    beside = await hooks("send", "batch.succeeded", cwd=tmp_path)
    assert beside.returncode == 1
    assert "hooks dev" in beside.stderr

    async with developing(tmp_path, *keeping) as dev:
        assert "the stack that used state was killed" in "".join(dev.started)
        assert dev.stack["webhook"] == replaced.stack["webhook"]
        assert await done(dev) == events
        assert (await dev.hooks("send", "batch.succeeded")).returncode == 0


def kept_documents(directory: Path) -> list[bytes]:
    saved = keeper.read(directory / "state" / "stack-state.json")
    return [base64.b64decode(each) for each in saved.parts["firestore"]] if saved else []


async def done(dev: Dev) -> list[str]:
    """Return the ids of the events that the ledger has as done."""
    listed = await dev.hooks("events", "list", "--json")
    return [each["id"] for each in json.loads(listed.stdout)["events"] if each["state"] == "done"]


def functions(family: Sequence[int]) -> list[int]:
    """Return the framework's processes among these whose parent is a supervisor."""
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="]
    listed = subprocess.run(command, capture_output=True, check=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.decode().splitlines()]
    supervisors = {pid for pid, _, arguments in rows if "supervisor.py" in arguments}
    return [int(pid) for pid, parent, _ in rows if parent in supervisors and int(pid) in family]


@pytest.mark.parametrize("command", [["send", "batch.succeeded"], ["tail"]])
async def test_without_a_stack_it_says_what_to_do(tmp_path: Path, command: list[str]) -> None:
    done = await hooks(*command, cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("error: no laptop stack runs")
    assert "hooks dev" in done.stderr
