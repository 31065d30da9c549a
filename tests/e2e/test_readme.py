"""Every command and snippet of the README does what the README says."""

import asyncio
import contextlib
import json
import re
import socket
from pathlib import Path

import httpx2
import pytest

from relay.dispatcher.routes import read_routes
from relay.environment import Environment
from tests.e2e.reader import (
    ROOT,
    Page,
    commands,
    lay_checkout,
    line,
    lines,
    shell,
    succeed,
)

README = Page("README.md")
RUN = (
    "make demo",
    "make test",
    "make dev",
    ".venv/bin/hooks send",
    ".venv/bin/hooks tail",
    ".venv/bin/python subscriber.py",
    'eval "$(.venv/bin/hooks env)"',
    "export GOOGLE_CLOUD_PROJECT",
    ".venv/bin/functions-framework",
    # Of the deployment, what can be known without a cloud; tests/infra apply it to a local one.
    *("cd infra", "export TF_VAR_", "read -rs TF_VAR_", "terraform init", "terraform apply"),
)


def test_no_command_is_left_out() -> None:
    assert not [command for command in README.commands if not command.startswith(RUN)]
    assert README.languages == {"sh", "text", "python", "json"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return lay_checkout(tmp_path)


async def test_make_demo(checkout: Path) -> None:
    said = await succeed(README.block("sh", "make demo"), checkout)

    assert re.fullmatch(
        r"It adds up: \d+ accepted, \d+ duplicates dropped, \d+ refused, \d+ fanned out, 0 lost"
        r" \(\d+\.\d s\)",
        said.splitlines()[-1],
    )


async def test_make_test_runs_these_tests(checkout: Path) -> None:
    (command,) = commands(README.block("sh", "make test"))
    assert "pytest" in await succeed(command.replace("make", "make --dry-run"), checkout)


async def test_make_dev_and_what_runs_beside_it(checkout: Path) -> None:
    (checkout / "subscriber.py").write_text(README.block("python", "subscriber.py"))
    *sends, tail = commands(README.block("sh", ".venv/bin/hooks send"))
    subscribe = README.block("sh", "subscriber.py")
    assert subscribe.startswith('eval "$(.venv/bin/hooks env)"\n')
    async with shell(README.block("sh", "make dev"), checkout) as developing:
        await lines(developing, "Ctrl-C stops everything")
        for send in sends:
            assert ("401" if "--forge" in send else "200") in await succeed(send, checkout)
        async with shell(tail, checkout) as tailing, shell(subscribe, checkout) as service:
            await line(tailing, "listening on")
            await line(service, "waiting for events")
            await succeed(sends[0], checkout)
            await line(tailing, "batch.succeeded")
            said = await line(service, "batch.succeeded")

    assert re.match(r"\S+ batch\.succeeded \{'id': ", said)


async def test_a_function_by_itself(checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = README.block("sh", "functions-framework").replace("8080", str(port))
    async with shell(script, checkout), httpx2.AsyncClient() as client:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx2.ConnectError):
                    answer = await client.get(f"http://127.0.0.1:{port}/")
                    break
                await asyncio.sleep(0.05)

    assert answer.status_code == 200


def test_the_deployment_names_variables_that_exist() -> None:
    script = README.block("sh", "terraform apply")
    directory = ROOT / script.split("cd ", 1)[1].splitlines()[0]
    text = "".join(file.read_text() for file in directory.glob("*.tf"))
    declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    named = set(re.findall(r"TF_VAR_(\w+)", script))

    assert named == {"project", "region", "gemini_api_key"}
    assert named <= declared


def test_three_values_are_all_that_a_deployment_needs() -> None:
    text = (ROOT / "infra/variables.tf").read_text()
    variables = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    needed = {name for name, body in variables if not re.search(r"(?m)^  default\s+=", body)}

    assert needed == {"gemini_api_key", "project", "region"}


def test_the_routes_are_accepted() -> None:
    environ = {"GOOGLE_CLOUD_PROJECT": "my-project", "ROUTES": README.block("json", "types")}

    routes = read_routes(Environment(environ))

    assert [route.name for route in routes[1:]] == [
        each["name"] for each in json.loads(environ["ROUTES"])
    ]
