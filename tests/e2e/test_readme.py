"""Every command and snippet of the README does what the README says."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
from google.pubsub_v1 import Subscription
from google.pubsub_v1.types import PushConfig

from localcloud.core import clients
from localcloud.laptop import stack
from relay.dispatcher.routes import read_routes
from relay.environment import Environment
from tests.e2e.conftest import World, identifier

ROOT = Path(__file__).parents[2]
BLOCKS: list[tuple[str, str]] = re.findall(
    r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
)
SHELL = [text for language, text in BLOCKS if language in {"sh", "bash", "shell"}]


def block(language: str, containing: str) -> str:
    (found,) = [text for kind, text in BLOCKS if kind == language and containing in text]
    return found


def commands(text: str) -> list[str]:
    return text.replace("\\\n", " ").splitlines()


HANDLED = (
    *(
        "make demo",
        "make demo-deploy",
        "make test",
        "make dev",
        ".venv/bin/hooks ",
        "functions-framework ",
    ),
    "terraform apply",
)


def test_no_command_is_left_out() -> None:
    unknown = [text for text in SHELL if not any(each in text for each in HANDLED)]
    assert not unknown, f"no test runs: {unknown}"
    assert {language for language, _ in BLOCKS} <= {"sh", "text", "python", "javascript", "json"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as the README's reader has it: `.venv` made, and the working directory."""
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "build":
            (tmp_path / entry.name).symlink_to(entry)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, module in (("hooks", "hooks"), ("functions-framework", "functions_framework")):
        code = "from hooks.cli import main; main()"
        arguments = f"-c '{code}'" if module == "hooks" else f"-m {module}"
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    # The environment that runs the tests is the one that `make` would make, and takes its place.
    database = subprocess.run(
        ["make", "-pn", "help"],
        cwd=tmp_path,
        env=variables(tmp_path),
        capture_output=True,
        check=True,
    )
    (ready,) = re.findall(r"^READY := (\S+)$", database.stdout.decode(), re.MULTILINE)
    (tmp_path / ready).touch()
    return tmp_path


def variables(directory: Path) -> dict[str, str]:
    return {
        "PATH": f"{directory / '.venv' / 'bin'}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "PYTHON": sys.executable,
        "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}",
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.asynccontextmanager
async def shell(
    script: str, directory: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a script as a reader would paste it, in a session of its own that ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", script),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
        env=variables(directory) | dict(environ or {}),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        await process.communicate()


async def output(
    script: str, directory: Path, environ: Mapping[str, str] | None = None
) -> tuple[int, str]:
    async with shell(script, directory, environ) as process:
        text, _ = await process.communicate()
        return process.returncode or 0, text.decode()


async def line(process: asyncio.subprocess.Process, containing: str) -> str:
    """Return the next line that contains a text; fail with all there was if none comes."""
    assert process.stdout
    seen = []
    async with asyncio.timeout(60):
        while text := (await process.stdout.readline()).decode():
            seen.append(text)
            if containing in text:
                return text
    raise AssertionError("".join(seen))


async def test_make_demo(checkout: Path) -> None:
    status, said = await output(block("sh", "make demo"), checkout)

    assert status == 0, said
    verdict = said.splitlines()[-1]
    assert re.fullmatch(
        r"It adds up: \d+ accepted, \d+ duplicates dropped, \d+ refused, \d+ fanned out, 0 lost"
        r" \(\d+\.\d s\)",
        verdict,
    )


async def test_make_test_runs_these_tests(checkout: Path) -> None:
    (command,) = commands(block("sh", "make test"))
    status, said = await output(command.replace("make", "make --dry-run"), checkout)

    assert status == 0, said
    assert "pytest" in said


async def test_make_dev_and_the_commands_beside_it(checkout: Path) -> None:
    beside = commands(block("sh", ".venv/bin/hooks send"))
    async with shell(block("sh", "make dev"), checkout) as developing:
        await line(developing, "Ctrl-C stops everything")
        for command in (each for each in beside if "hooks send" in each):
            status, said = await output(command, checkout)
            assert status == 0, said
            assert ("401" if "--forge" in command else "200") in said
        (tail,) = [each for each in beside if "hooks tail" in each]
        async with shell(tail, checkout) as tailing:
            await line(tailing, "listening on")
            status, said = await output(beside[0], checkout)
            assert status == 0, said
            await line(tailing, "batch.succeeded")


async def test_a_function_by_itself(checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = block("sh", "functions-framework").replace("8080", str(port))
    script = script.replace("functions-framework --", "exec functions-framework --")
    async with shell(script, checkout), httpx2.AsyncClient() as client:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx2.ConnectError):
                    answer = await client.get(f"http://127.0.0.1:{port}/")
                    break
                await asyncio.sleep(0.05)

    assert answer.status_code == 200


def test_the_deployment_names_variables_that_exist() -> None:
    script = block("sh", "terraform apply")
    directory = ROOT / script.split("cd ", 1)[1].splitlines()[0]
    text = "".join(file.read_text() for file in directory.glob("*.tf"))
    declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))

    assert set(re.findall(r"TF_VAR_(\w+)", script)) == {"project", "region", "gemini_api_key"}
    assert {"project", "region", "gemini_api_key"} <= declared


async def test_the_subscriber_in_python(world: World, tmp_path: Path) -> None:
    (tmp_path / "subscriber.py").write_text(block("python", "subscriber.py"))
    topic, name = world.stack.names.events, "projects/laptop/subscriptions/my-service"
    async with clients.subscriber(world.stack.hosts[stack.PUBSUB]) as admin:
        await admin.create_subscription(name=name, topic=topic)
        command = f"exec {sys.executable} subscriber.py"
        async with shell(command, tmp_path, world.stack.variables) as subscriber:
            event = identifier(world.emit("batch.succeeded", "v1a"))
            said = await line(subscriber, event)
        await admin.delete_subscription(subscription=name)

    assert said.startswith(f"{event} batch.succeeded {{'id': ")


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js (node) on the PATH")
async def test_the_subscriber_in_javascript(world: World, tmp_path: Path) -> None:
    (tmp_path / "subscriber.mjs").write_text(block("javascript", "subscriber.mjs"))
    topic, name = world.stack.names.events, "projects/laptop/subscriptions/my-push"
    async with (
        clients.subscriber(world.stack.hosts[stack.PUBSUB]) as admin,
        shell("exec node subscriber.mjs", tmp_path, {"PORT": "0"}) as subscriber,
    ):
        port = int((await line(subscriber, "listening")).split()[1])
        push = PushConfig(push_endpoint=f"http://127.0.0.1:{port}/")
        await admin.create_subscription(Subscription(name=name, topic=topic, push_config=push))
        event = identifier(world.emit("video.generated", "jwt"))
        said = await line(subscriber, event)
        await admin.delete_subscription(subscription=name)

    assert said.startswith(f'{event} video.generated {{"file_id":')


def test_the_routes_are_accepted() -> None:
    environ = {"GOOGLE_CLOUD_PROJECT": "my-project", "ROUTES": block("json", "types")}

    routes = read_routes(Environment(environ))

    assert [route.name for route in routes[1:]] == [
        each["name"] for each in json.loads(environ["ROUTES"])
    ]
