"""Did batch X finish, and why did nobody hear? One command answers, in every case."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from google import genai
from google.pubsub_v1 import Subscription
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.core import clients
from localcloud.laptop import stack
from localcloud.laptop.webhook import API_KEY
from tests.e2e.conftest import Operator, World, identifier
from tests.support.serving import serving


async def ask(operator: Operator, wanted: str) -> dict[str, Any]:
    result = await operator.runs("why", wanted, "--json")
    assert result.stdout, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if told["heard"] else 1)
    return told


def places(told: dict[str, Any]) -> list[str]:
    return [step["place"] for step in told["timeline"]]


def line(told: dict[str, Any], place: str, containing: str = "") -> str:
    """Return the one line about a place that contains a text."""
    lines = [step["what"] for step in told["timeline"] if step["place"] == place]
    (found,) = [each for each in lines if containing in each]
    return str(found)


@contextlib.asynccontextmanager
async def subscription(world: World, endpoint: str) -> AsyncIterator[str]:
    name = f"projects/{world.stack.names.project}/subscriptions/worker"
    wanted = Subscription(name=name, topic=world.stack.names.events)
    wanted.push_config.push_endpoint = endpoint
    async with clients.subscriber(world.stack.hosts[stack.PUBSUB]) as client:
        await client.create_subscription(wanted)
        try:
            yield name
        finally:
            await client.delete_subscription(subscription=name)


async def test_a_subscriber_that_fails(operator: Operator) -> None:
    world = operator.world

    async def fail(_request: Request) -> Response:
        return Response(status_code=500)

    async with (
        serving(Starlette(routes=[Route("/events", fail, methods=["POST"])])) as url,
        subscription(world, f"{url}/events"),
    ):
        deliveries = world.emit("batch.succeeded", data={"id": "batch_failing"})
        assert await world.taken(deliveries)
        await world.dispatched()
        told = await ask(operator, "batch_failing")
        shown = await operator.runs("why", identifier(deliveries))

    assert not told["heard"]
    assert "this event among them" in line(told, "subscriber")
    assert f"{url}/events answers no 2xx" in told["cause"]
    assert told["command"].startswith(f"hooks listen --forward-to {url}/events --since 20")
    words = " ".join(shown.stdout.split())
    assert told["cause"] in words
    assert told["command"] in words


async def test_an_event_that_everybody_has_heard(operator: Operator) -> None:
    world = operator.world
    deliveries = world.emit("batch.succeeded", data={"id": "batch_heard"})
    assert await world.taken(deliveries)
    await world.dispatched()
    told = await ask(operator, "batch_heard")
    assert told["heard"]
    assert "published to events" in line(told, "dispatcher", "done")
    assert told["command"] == f"hooks events replay --id {identifier(deliveries)}"
    assert not any(place == "dead letters" for place in places(told))


async def test_a_dispatcher_that_does_not_run(operator: Operator) -> None:
    world = operator.world
    await world.stack.dispatch.terminate()
    try:
        deliveries = world.emit("batch.succeeded", data={"id": "batch_stored"})
        assert await world.taken(deliveries)
        told = await ask(operator, "batch_stored")
    finally:
        await world.stack.dispatch.start()
    await world.dispatched()
    assert f"stored as {identifier(deliveries)}" in line(told, "ingress")
    assert "this event among them" in line(told, "dispatcher")
    assert "the dispatcher does not run" in told["cause"]
    assert told["command"] == "hooks doctor"


async def test_a_signing_secret_that_is_not_stored(operator: Operator) -> None:
    world = operator.world
    deliveries = world.emit("batch.failed", data={"id": "batch_refused"}, forgery="wrong-key")
    assert await world.answered(deliveries) == [401]
    told = await ask(operator, "batch_refused")
    assert "401" in line(told, "receiver", "answered the delivery")
    assert "the newest signing secret is not stored" in told["cause"]
    assert told["command"] == "hooks webhook rotate"


async def test_a_webhook_that_is_disabled(operator: Operator) -> None:
    world = operator.world
    webhook = world.stack.gemini.webhooks.find(world.stack.webhook.id)
    webhook.state = "disabled_due_to_failed_deliveries"
    try:
        told = await ask(operator, "batch_unannounced")
        done = await operator.runs(*told["command"].split()[1:])
    finally:
        state, webhook.state = webhook.state, "enabled"
    assert "disabled" in line(told, "gemini")
    assert "after too many failed deliveries" in told["cause"]
    assert (done.exit_code, state) == (0, "enabled"), done.output


async def test_poison(operator: Operator) -> None:
    world = operator.world
    deliveries = world.emit("ignored", body=b'{"data": {"id": "batch_poison"}}')
    assert await world.taken(deliveries)
    await world.dispatched()
    told = await ask(operator, "batch_poison")
    assert "no-type" in line(told, "dead letters")
    assert told["command"].startswith("hooks dlq show ")
    done = await operator.runs("dlq", "purge", identifier(deliveries), "--yes")
    assert done.exit_code == 0, done.output


async def test_an_event_that_was_never_sent(operator: Operator) -> None:
    told = await ask(operator, "batch_unheard_of")
    assert not told["heard"]
    assert "it was never delivered" in told["cause"]
    assert told["unknown"] == {}


async def test_geminis_own_view_of_the_job(operator: Operator) -> None:
    webhook = operator.world.stack.gemini.webhooks.find(operator.world.stack.webhook.id)
    webhook.state = "disabled"
    gemini = operator.world.stack.gemini_url
    try:
        with genai.Client(api_key=API_KEY, http_options={"base_url": gemini}) as sdk:
            job = await asyncio.to_thread(sdk.batches.create, model="gemini-x", src="files/f")
        told = await ask(operator, str(job.name))
    finally:
        webhook.state = "enabled"
    assert "BATCH_STATE_" in line(told, "gemini", "the job is")
    assert "it was never delivered" not in told["cause"]
