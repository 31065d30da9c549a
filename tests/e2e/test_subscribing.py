"""Every command and program of `docs/subscribing.md` does what the page says."""

import asyncio
import contextlib
import json
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core import clients
from localcloud.core.serving import AppServer
from tests.e2e.reader import (
    ROOT,
    Page,
    commands,
    exported,
    lay_checkout,
    line,
    lines,
    shell,
    succeed,
)

PAGE = Page("docs/subscribing.md")
RUN = (
    "make dev",
    'eval "$(.venv/bin/hooks env)"',
    ".venv/bin/hooks subscribe ",
    ".venv/bin/python worker.py ",
    "CHECK_TOKEN=no PORT=8081 .venv/bin/python push.py",
    "PORT=8082 node subscriber.mjs",
    ".venv/bin/hooks send ",
    ".venv/bin/hooks listen ",
    'curl "http://$PUBSUB_EMULATOR_HOST/v1/',
    ".venv/bin/hooks recover ",
    *(f".venv/bin/hooks events {action} " for action in ("list", "show", "replay")),
)
PROGRAMS = {
    "worker.py": "python",
    "push.py": "python",
    "subscriber.mjs": "javascript",
}


def test_no_command_is_left_out() -> None:
    assert not [command for command in PAGE.commands if not command.startswith(RUN)]
    # What is shown as HCL is planned by tests/infra/test_pages.py.
    assert PAGE.languages == {"sh", "python", "javascript", "json", "hcl"}


@dataclass
class Desk:
    """A reader's checkout, with the programs of the page, beside a running `make dev`."""

    directory: Path
    environ: Mapping[str, str]

    async def run(self, command: str) -> str:
        return await succeed(command, self.directory, self.environ)

    def start(
        self, command: str, **more: str
    ) -> contextlib.AbstractAsyncContextManager[asyncio.subprocess.Process]:
        return shell(f"exec {command}", self.directory, {**self.environ, **more})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    directory = lay_checkout(tmp_path_factory.mktemp("checkout"))
    for name, language in PROGRAMS.items():
        (directory / name).write_text(PAGE.block(language, name))
    async with shell(PAGE.block("sh", "make dev"), directory) as developing:
        await lines(developing, "Ctrl-C stops everything")
        yield Desk(directory, await exported(directory))


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl on the PATH")
async def test_topics_are_listed_by_rest(desk: Desk) -> None:
    said = await desk.run(PAGE.block("sh", "curl"))
    assert "projects/laptop/topics/gemini-webhooks-events" in said


async def test_subscriptions_workers_and_replays(desk: Desk) -> None:
    for command in commands(PAGE.block("sh", "subscribe everything")):
        assert "created projects/laptop/subscriptions/" in await desk.run(command)
    (work,) = commands(PAGE.block("sh", "worker.py batches"))
    first, repeated, other = commands(PAGE.block("sh", "interaction.completed"))
    events, show, replay = commands(PAGE.block("sh", "hooks events replay"))
    async with desk.start(work) as worker:
        await line(worker, "waiting for events")
        for command in (first, repeated, other):
            await desk.run(command)
        seen = [await line(worker, " batch.") for _ in range(2)]
        identifier = seen[0].split()[0]

        assert identifier in await desk.run(events)
        assert identifier in await desk.run(show.replace("EVENT_ID", identifier))
        await desk.run(replay.replace("EVENT_ID", identifier))
        # The next thing that the worker says: it heard neither a repeat nor another type.
        assert await line(worker, "") == seen[0]
        (recover,) = commands(PAGE.block("sh", "hooks recover"))
        through = (await desk.run(recover)).split()
        assert through[:2] == ["2", "events,"]
    (recovered,) = [each for each in through if "/hooks-recover-batches-" in each]
    async with desk.start(work.replace("batches", recovered.rpartition("/")[2])) as worker:
        await line(worker, "waiting for events")
        assert {await line(worker, " batch.") for _ in range(2)} == set(seen)

    assert all(re.match(r"\S+ batch\.succeeded \{'id': ", each) for each in seen)
    assert len({each.split()[0] for each in seen}) == 2


async def test_a_worker_that_fails_is_given_the_event_again(desk: Desk) -> None:
    program = (desk.directory / "worker.py").read_text()
    failing = (
        "    if not processed:\n        processed.add(('', ''))\n        raise ValueError('no')\n"
    )
    work = re.sub(r"(def work\(.*\n)", lambda found: found[1] + failing, program)
    (desk.directory / "failing.py").write_text(work)
    # No pause between attempts, unlike the page's subscription.
    async with clients.subscriber(desk.environ["PUBSUB_EMULATOR_HOST"]) as client:
        topic = "projects/laptop/topics/gemini-webhooks-events"
        await client.create_subscription(name="projects/laptop/subscriptions/eager", topic=topic)
    async with desk.start(".venv/bin/python failing.py eager") as worker:
        await line(worker, "waiting for events")
        await desk.run(".venv/bin/hooks send batch.expired")
        await line(worker, "failed, to be tried again")
        await line(worker, "batch.expired {'id': ")


async def test_events_are_pushed_to_a_server_in_python(desk: Desk) -> None:
    async with serving(desk, "push.py", "8081") as (server, port):
        await send_pushed(desk, "subscribe pushed ", "8081", port)
        assert re.match(r"\S+ video\.generated \{'file_id", await line(server, "video.generated"))
        await listened(desk, port)


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js (node) on the PATH")
async def test_events_are_pushed_to_a_server_in_javascript(desk: Desk) -> None:
    async with serving(desk, "subscriber.mjs", "8082") as (server, port):
        await send_pushed(desk, "subscribe pushed-to-node ", "8082", port)
        assert re.match(r'\S+ interaction\.failed \{"id', await line(server, "interaction."))


@contextlib.asynccontextmanager
async def serving(
    desk: Desk, program: str, documented: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start a server by the page's command, on a free port instead of the page's; yield both."""
    (serve,) = commands(PAGE.block("sh", program))
    port = free_port()
    async with desk.start(f"env {serve.replace(documented, port)}") as server:
        assert port in await line(server, "listening on port")
        yield server, port


async def send_pushed(desk: Desk, subscription: str, documented: str, port: str) -> None:
    subscribe, send = commands(PAGE.block("sh", subscription))
    await desk.run(subscribe.replace(documented, port))
    await desk.run(send)


async def listened(desk: Desk, port: str) -> None:
    (listen,) = commands(PAGE.block("sh", "hooks listen --forward-to"))
    (resend,) = commands(PAGE.block("sh", "hooks listen resend"))
    async with desk.start(listen.replace("8081", port)) as listening:
        await line(listening, "sending the events of")
        sent = re.findall(r"msg_[\w-]+", await desk.run(".venv/bin/hooks send video.generated"))
        shown = await line(listening, sent[0])
    assert " 204 " in shown
    assert " 204 " in await desk.run(resend.replace("EVENT_ID", sent[0]))


AUDIENCE, PUSHER = "https://worker.example/", "my-pusher@laptop.iam.gserviceaccount.com"
KEY, STRANGERS_KEY = generate_private_key(65537, 2048), generate_private_key(65537, 2048)


def token(key: Any = KEY, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": PUSHER,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode(claims | changes, key, algorithm="RS256", headers={"kid": "1"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    """The push server with its check on, and certificates of a local issuer."""
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    async def certificates(_request: Request) -> Response:
        return JSONResponse({"1": pem.decode()})

    async with AppServer(Starlette(routes=[Route("/certs", certificates)])) as issuer:
        environ = {
            "AUDIENCE": AUDIENCE,
            "PUSHER": PUSHER,
            "CERTS_URL": f"{issuer.url}/certs",
            "PORT": "0",
        }
        async with desk.start(".venv/bin/python push.py", **environ) as server:
            port = (await line(server, "listening on port")).split()[-1]
            base = f"http://127.0.0.1:{port}"
            async with httpx2.AsyncClient(base_url=base, trust_env=False) as client:
                yield client


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {token()}", 204),
        ("", 401),
        ("Bearer x", 401),
        (f"Bearer {token(STRANGERS_KEY)}", 401),
        (f"Bearer {token(aud='https://other.example/')}", 401),
        (f"Bearer {token(email='other@laptop.iam.gserviceaccount.com')}", 401),
        (f"Bearer {token(email_verified=False)}", 401),
        (f"Bearer {token(iss='https://issuer.example')}", 401),
        (f"Bearer {token(exp=1)}", 401),
    ],
    ids=["good", "none", "garbage", "key", "audience", "email", "unverified", "issuer", "expired"],
)
async def test_only_pubsubs_token_is_taken(
    guarded: httpx2.AsyncClient, authorization: str, status: int
) -> None:
    attributes = {"ce-id": "msg_1", "ce-type": "batch.expired"}
    push = {"message": {"attributes": attributes, "data": "eyJkYXRhIjp7fX0="}}
    answer = await guarded.post("/", json=push, headers={"authorization": authorization})
    assert answer.status_code == status


def test_the_example_is_in_the_catalogue() -> None:
    example = json.loads(PAGE.block("json", "batch.succeeded"))
    schema = json.loads((ROOT / "schemas/batch.succeeded.json").read_text())
    assert example in schema["examples"]
