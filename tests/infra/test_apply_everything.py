"""The example that sets every option, applied beside a default deployment in one project."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.controlplane.access import Binding
from localcloud.core.serving import AppServer
from localcloud.laptop.site import Options, Site
from tests.infra.deployed import SECONDS, UNKIND, deployment, emulated, rest, subscribed, taken
from tests.infra.followed import jobs_are_followed

pytestmark = [pytest.mark.long_apply, pytest.mark.timeout(900)]

NAME = "relay-staging"
PROJECT = "projects/local-project"
LOCATION = f"{PROJECT}/locations/europe-west1"
KEY = f"{LOCATION}/keyRings/ring/cryptoKeys/key"
SUBSCRIBER = "google.pubsub.v1.Subscriber"
WORKER = "https://worker.example.com"

# What the example leaves as it is at Google, and what differs here: where Gemini is, above all.
HERE = """
module "relay" {
  gemini_base_url     = "%s"
  activation_seconds  = %d
  propagation_seconds = %d
  verification        = { jwks_uri = "%s/.well-known/jwks.json" }
  webhook = {
    events = ["batch.failed", "batch.succeeded", "interaction.completed", "video.generated"]
    name   = "staging"
  }
}
"""

APPLICATION = "serviceAccount:reports@local-project.iam.gserviceaccount.com"
WAITS = ("activation", "propagation")

VARIABLES = {
    "application": APPLICATION,
    "events_bucket": "local-lake",
    "events_table": "local-project.lake.events",
    "kms_key": KEY,
    "name": NAME,
    "worker_url": f"{WORKER}/events",
}


class Worker:
    """A consumer that events are pushed to."""

    def __init__(self) -> None:
        self.pushed: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def __call__(self, request: Request) -> Response:
        message = json.loads(await request.body())["message"]
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.pushed.put_nowait((token, message["attributes"]))
        return Response(status_code=204)


@asynccontextmanager
async def worker(made: Site) -> AsyncIterator[Worker]:
    consumer = Worker()

    async def answer(request: Request) -> Response:
        return await consumer(request)

    async with AppServer(Starlette(routes=[Route("/events", answer, methods=["POST"])])) as server:
        made.cloud.network.hosts[WORKER] = server.url
        yield consumer


async def what_others_made(made: Site) -> None:
    """Make what the example takes as given: a key, a table, a bucket, an account and so on."""
    for name in ("cloudkms", "iam", "run"):
        made.cloud.state.enable(f"{name}.googleapis.com")
    # By the clock of the cloud, on which services take effect.
    await made.cloud.state.delays.sleep(UNKIND.service_activation_seconds + 1)
    await rest(made, "POST", f"/kms/v1/{LOCATION}/keyRings?keyRingId=ring", {})
    await rest(made, "POST", f"/kms/v1/{LOCATION}/keyRings/ring/cryptoKeys?cryptoKeyId=key", {})
    accounts = "/iam/v1/projects/local-project/serviceAccounts"
    await rest(made, "POST", accounts, {"accountId": "reports"})
    datasets = "/bigquery/v2/projects/local-project/datasets"
    await rest(made, "POST", datasets, {"datasetReference": {"datasetId": "lake"}})
    await rest(made, "POST", f"{datasets}/lake/tables", {"tableReference": {"tableId": "events"}})
    await rest(made, "POST", "/storage/v1/b?project=local-project", {"name": "local-lake"})
    channels = "/monitoring/v3/projects/local-project/notificationChannels"
    channel = await rest(made, "POST", channels, {"type": "email"})
    made.terraform.variables["notification_channel"] = channel["name"]
    made.cloud.state.resources.put(f"{LOCATION}/services/worker", {"name": "worker"})
    for resource, role in (
        (KEY, "roles/cloudkms.admin"),
        (f"{PROJECT}/datasets/lake/tables/events", "roles/bigquery.dataOwner"),
    ):
        made.cloud.state.policies.grant(Binding(resource, role, made.cloud.state.deployer))


async def test_everything_on_beside_the_default(tmp_path: Path, subtests: pytest.Subtests) -> None:
    root = "infra/examples/everything"
    # Lists of secret versions lag, as Secret Manager's may; what is read by its number does not.
    options: dict[str, Any] = {"root": root, "variables": VARIABLES, "list_lag_seconds": 20.0}
    async with deployment(tmp_path / "first", **options) as made:
        waits = [made.terraform.variables[f"{name}_seconds"] for name in WAITS]
        here = HERE % (made.gemini_url, *waits, made.gemini_url)
        (made.terraform.directory / "here_override.tf").write_text(here)
        await what_others_made(made)
        before = await made.cloud.remains()
        await made.terraform.apply()
        with subtests.test("a subscriber of each kind that can run here gets its events"):
            await subscribers_get_events(made)
        await jobs_are_followed(made, NAME, APPLICATION, subtests)
        with subtests.test("the next plan changes nothing"):
            assert "No changes." in await made.terraform.plan()
        with subtests.test("two live side by side"):
            await side_by_side(made, tmp_path / "second")
        with subtests.test("destroy leaves what others made"):
            await made.terraform.destroy()
            assert await made.cloud.remains() == before
            assert list(made.gemini.webhooks) == []


async def subscribers_get_events(made: Site) -> None:
    async with worker(made) as consumer:
        deliveries = [
            *made.gemini.emit("batch.succeeded", user_metadata={"team": "blue"}),
            *made.gemini.emit("interaction.completed"),
        ]
        assert await taken(made, deliveries)
        outputs = await made.terraform.outputs()
        async with asyncio.timeout(SECONDS):
            pulled = await pull(made, outputs["subscriptions"]["notebook"]["subscription"])
        assert pulled["ce-type"] == "batch.succeeded"
        assert pulled["meta-team"] == "blue"
        async with asyncio.timeout(SECONDS):
            token, attributes = await consumer.pushed.get()
        assert attributes["ce-type"] == "interaction.completed"
        claims = made.cloud.state.issuer.verify(token, {f"{WORKER}/events"})
        assert claims["email"] == outputs["subscriptions"]["worker"]["identity"]


async def pull(made: Site, subscription: str) -> dict[str, str]:
    """Return the attributes of the next message of a subscription."""
    wanted = {"subscription": subscription, "max_messages": 1}
    while True:
        reply = await emulated(made.cloud, SUBSCRIBER, "Pull", **wanted)
        for received in reply.received_messages:
            return dict(received.message.attributes)


async def side_by_side(made: Site, directory: Path) -> None:
    """Apply a default deployment to the same project, use it, and take it down again."""
    beside = Site(Options(directory=directory), made.cloud, made.gemini, made.gemini_url)
    await beside.terraform.init()
    existing = await made.cloud.remains()
    await beside.terraform.apply()
    assert len(list(made.gemini.webhooks)) == 2
    outputs = await beside.terraform.outputs()
    async with subscribed(beside, outputs["topics"]["events"]) as subscriber:
        deliveries = made.gemini.emit("batch.failed")
        assert await taken(made, deliveries)
        ours = [each for each in deliveries if each.uri == outputs["webhook_url"]]
        await subscriber.receives(ours)
    await beside.terraform.destroy()
    assert await made.cloud.remains() == existing
    (webhook,) = made.gemini.webhooks
    assert webhook.name == "staging"
