"""Subscriptions are made in the stack of this directory as Terraform makes them elsewhere."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from google.pubsub_v1 import types
from typer.testing import CliRunner, Result

from hooks import stackfile
from hooks.cli import app
from hooks.errors import HooksError, UsageError
from hooks.laptop.subscribe import Options, entry
from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.laptop.names import Names
from localcloud.pubsub import PubSub
from tests.hooks.test_stackfile import RUNNING

NAMES = Names("laptop")
BATCHES = 'hasPrefix(attributes.ce-type, "batch.")'


@dataclass
class Laptop:
    """A Pub/Sub with the events topic, which a stack here has announced."""

    pubsub: PubSub

    async def run(self, *arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))

    async def subscribe(self, *arguments: str) -> dict[str, Any]:
        result = await self.run("subscribe", *arguments, "--json")
        if result.exit_code:
            raise AssertionError(result.output) from result.exception
        return dict(json.loads(result.stdout))

    async def call(self, method: str, request: Any) -> Any:
        for service in self.pubsub.services.values():
            if method in service:
                return await service[method].handler(type(request).pb(request))
        raise LookupError(method)

    async def get(self, name: str) -> Any:
        full = f"projects/laptop/subscriptions/{name}"
        return await self.call("GetSubscription", types.GetSubscriptionRequest(subscription=full))


@pytest.fixture
async def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Laptop]:
    monkeypatch.chdir(tmp_path)
    laptop = Laptop(PubSub(SystemClock()))
    await laptop.call("CreateTopic", types.Topic(name=NAMES.events))
    listener = await rpc.listen(laptop.pubsub.services)
    running = replace(
        RUNNING,
        topics={"ingress": NAMES.ingress, "events": NAMES.events},
        variables={
            "GOOGLE_CLOUD_PROJECT": "laptop",
            "PUBSUB_EMULATOR_HOST": listener.address,
        },
    )
    with stackfile.locked() as file:
        file.announce(running)
        yield laptop
    await listener.stop()
    await laptop.pubsub.close()


async def test_a_subscription_is_made_once(laptop: Laptop) -> None:
    first = await laptop.subscribe("batches", "--filter", BATCHES)
    again = await laptop.subscribe("batches", "--filter", BATCHES)

    assert (first["created"], again["created"]) == (True, False)
    made = await laptop.get("batches")
    assert (made.topic, made.filter, made.ack_deadline_seconds) == (NAMES.events, BATCHES, 60)
    assert made.message_retention_duration.seconds == 31 * 86400
    assert not made.expiration_policy.HasField("ttl")
    assert first["terraform"] == again["terraform"]


async def test_another_of_that_name_stays_unless_it_is_to_be_replaced(laptop: Laptop) -> None:
    await laptop.subscribe("batches")
    refused = await laptop.run("subscribe", "batches", "--filter", BATCHES)
    assert isinstance(refused.exception, HooksError)
    assert refused.exception.exit_code == 1
    assert "another filter" in str(refused.exception)
    assert (await laptop.get("batches")).filter == ""

    replaced = await laptop.subscribe("batches", "--filter", BATCHES, "--replace")
    assert replaced["created"]
    assert (await laptop.get("batches")).filter == BATCHES


async def test_pushes_bear_a_token_for_the_url_and_failures_become_dead_letters(
    laptop: Laptop,
) -> None:
    options = ("worker", "--push", "http://127.0.0.1:8080/x", "--dead-letter")
    made = await laptop.subscribe(*options)
    assert not (await laptop.subscribe(*options))["created"]

    proto = await laptop.get("worker")
    assert proto.push_config.push_endpoint == "http://127.0.0.1:8080/x"
    assert proto.push_config.oidc_token.audience == "http://127.0.0.1:8080/x"
    policy = proto.dead_letter_policy
    assert policy.max_delivery_attempts == 100
    kept = await laptop.get(made["dead_letters"].rpartition("/")[2])
    assert kept.topic == policy.dead_letter_topic

    listed = await laptop.run("dlq", "list", "--subscriber", "worker", "--json")
    assert json.loads(listed.stdout) == {"dead_letters": [], "more": False}
    told = await laptop.run("subscribe", *options)
    assert told.stdout.startswith("exists projects/laptop/subscriptions/worker\n")
    assert max(map(len, told.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments",
    [("My_Service",), ("ab",), ("good", "--filter", "type = 1"), ("good", "--push", "ftp://x/")],
)
async def test_what_pubsub_or_terraform_refuses_is_refused(
    laptop: Laptop, arguments: tuple[str, ...]
) -> None:
    refused = await laptop.run("subscribe", *arguments)
    assert isinstance(refused.exception, UsageError)


def options(**given: Any) -> Options:
    plain: dict[str, Any] = {"name": "batches", "push": "", "message_filter": ""}
    return Options(**plain | {"dead_letter": False, "replace": False} | given)


def test_the_entry_for_terraform() -> None:
    assert entry(options(message_filter=BATCHES)) == (
        "subscribers = {\n"
        "  batches = {\n"
        "    dead_letter = null\n"
        '    filter      = "hasPrefix(attributes.ce-type, \\"batch.\\")"\n'
        "    pull        = "
        '{ consumers = ["serviceAccount:ACCOUNT@PROJECT.iam.gserviceaccount.com"] }\n'
        "  }\n"
        "}"
    )
    pushed = entry(options(push="http://localhost:8080/events", dead_letter=True))
    assert pushed.splitlines()[2:3] == ['    push = { endpoint = "https://HOST/events" }']
    assert '"https://mine.example/x"' in entry(options(push="https://mine.example/x"))


@pytest.mark.skipif(not shutil.which("terraform"), reason="needs Terraform on the PATH")
def test_terraform_would_format_the_entry_the_same_way() -> None:
    for given in (options(message_filter='attributes.a = "${b}"'), options(push="https://x/")):
        text = entry(given) + "\n"
        command = ["terraform", "fmt", "-"]
        formatted = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        assert formatted.stdout == text
