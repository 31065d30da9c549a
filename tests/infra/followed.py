"""What a deployment with `jobs` and `collect` on does, and what its identities may."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from localcloud.laptop.site import API_KEY, Site
from relay.gcp.database import Write, create_database
from relay.jobs import JOBS, documents, names
from tests.infra.deployed import (
    SECONDS,
    Subscriber,
    emulated,
    fire,
    may,
    rest,
    subscribed,
)

PUBLISHER = "google.pubsub.v1.Publisher"
SUBSCRIBER = "google.pubsub.v1.Subscriber"
FIRESTORE = "google.firestore.v1.Firestore"
SECRETS = "google.cloud.secretmanager.v1.SecretManagerService"
LOCATION = "projects/local-project/locations/europe-west1"

Call = tuple[str, str, dict[str, Any]]


def publishing(name: str, topic: str) -> Call:
    topic = f"projects/local-project/topics/{name}-{topic}"
    return PUBLISHER, "Publish", {"topic": topic, "messages": [{"data": b"{}"}]}


def reading(database: str) -> Call:
    name = f"projects/local-project/databases/{database}/documents/probes/1"
    return FIRESTORE, "GetDocument", {"name": name}


def writing(database: str) -> Call:
    where = f"projects/local-project/databases/{database}"
    writes = [{"update": {"name": f"{where}/documents/probes/1"}}]
    return FIRESTORE, "Commit", {"database": where, "writes": writes}


def accessing(secret: str) -> Call:
    name = f"projects/local-project/secrets/{secret}/versions/1"
    return SECRETS, "AccessSecretVersion", {"name": name}


# What each identity may of what the design's table speaks of; it may nothing else.
MAY: Mapping[str, set[str]] = {
    "application": {"read jobs", "write jobs"},
    "reconciler": {"read jobs", "write jobs", "read the ledger", "publish to ingress", "read key"},
    "collector": {"publish to ingress", "publish dead letters", "read key", "create a result"},
    "jobs-cron": set(),
    "jobs-push": set(),
}
CREATE = "create a result"


def actions(name: str) -> Mapping[str, Call]:
    """Return the calls of the services themselves, by what they are."""
    return {
        "read jobs": reading(f"{name}-jobs"),
        "write jobs": writing(f"{name}-jobs"),
        "read the ledger": reading(name),
        "write the ledger": writing(name),
        "publish to ingress": publishing(name, "ingress"),
        "publish to events": publishing(name, "events"),
        "publish dead letters": publishing(name, "dead-letter"),
        "read key": accessing(f"{name}-gemini-api-key"),
        "read the signing secret": accessing(f"{name}-signing-secret"),
    }


async def jobs_are_followed(
    made: Site, name: str, application: str, subtests: pytest.Subtests
) -> None:
    """Check what runs, and what each identity may, in the deployment called `name`."""
    outputs = await made.terraform.outputs()
    bucket = outputs["results_bucket"]
    with subtests.test("the reconciler answers its schedule"):
        assert await fire(made, f"{name}-reconcile") == 200
    with subtests.test("the events are pushed to the collector, as an identity of its own"):
        (subscription,) = [
            each
            async for each in subscriptions(made)
            if each.name.rpartition("/")[2].startswith(f"{name}-collect-")
        ]
        collector = made.cloud.deployments[f"{LOCATION}/functions/{name}-collector"]
        assert subscription.push_config.push_endpoint == collector.url
        token = subscription.push_config.oidc_token
        assert token.service_account_email.startswith(f"{name}-jobs-push@")
    events = outputs["topics"]["events"]
    with subtests.test("what Gemini tells nobody is announced"):
        async with gemini(made) as client, subscribed(made, events) as subscriber:
            job = await cancelled(made, client, outputs["jobs_database"], application)
            assert await fire(made, f"{name}-reconcile") == 200
            told = await heard(subscriber, "interaction.cancelled")
            assert (told["job"], told["scheme"]) == (job, "reconciled")
    with subtests.test("a result is copied into the bucket, and that is announced"):
        async with gemini(made) as client, subscribed(made, events) as subscriber:
            batch = await succeeded(client)
            assert (await heard(subscriber, "relay.job.collected"))["scheme"] == "collected"
            objects = f"/storage/v1/b/{bucket}/o"
            [found] = (await rest(made, "GET", objects))["items"]
            assert found["name"] == f"batch/{batch.rpartition('/')[2]}/batch.json"
    for hop, allowed in MAY.items():
        member = f"serviceAccount:{name}-{hop}@local-project.iam.gserviceaccount.com"
        member = application if hop == "application" else member
        with subtests.test("reaches what it needs, and nothing else", hop=hop):
            reached = {
                what
                for what, (service, method, fields) in actions(name).items()
                if await may(made.cloud, member, service, method, **fields)
            }
            objects = f"storage/v1/b/{bucket}/o"
            async with storage(made, member) as client:
                made_one = await client.post(
                    f"/upload/{objects}", params={"uploadType": "media", "name": hop}
                )
                read_one = await client.get(f"/{objects}/collector")
            reached |= {CREATE} if made_one.status_code == 200 else set()
            assert reached == allowed
            assert read_one.status_code == 403


@contextlib.asynccontextmanager
async def gemini(made: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of the simulated Gemini."""
    headers = {"x-goog-api-key": API_KEY}
    async with httpx2.AsyncClient(
        base_url=made.gemini_url, headers=headers, trust_env=False, timeout=SECONDS
    ) as client:
        yield client


async def cancelled(made: Site, client: httpx2.AsyncClient, database: str, application: str) -> str:
    """Cancel an interaction that the application has started; return the job's id."""
    body = {"input": "Why?", "agent": "deep-research", "background": True, "store": True}
    name: str = (await client.post("/v1beta/interactions", json=body)).json()["id"]
    before = datetime.now(UTC) - timedelta(hours=1)
    job = names.random_id()
    fields = documents.starting(job, names.INTERACTION, "a-token", before)
    fields |= documents.started(documents.Record.of(job, fields), name, before)
    environ = await made.cloud.variables_for(application)
    project = {"GOOGLE_CLOUD_PROJECT": made.cloud.state.project.id}
    jobs = create_database({**environ, **project, "JOBS_DATABASE": database}, "JOBS_DATABASE")
    await jobs.commit(Write(f"{JOBS}/{job}", fields))
    await jobs.close()
    await client.post(f"/v1beta/interactions/{name}/cancel")
    return job


async def succeeded(client: httpx2.AsyncClient) -> str:
    """Have a batch with inline requests succeed; return its name."""
    requests = {"requests": [{"request": {"contents": [{"parts": [{"text": "Why?"}]}]}}]}
    body = {"batch": {"displayName": "nightly", "inputConfig": {"requests": requests}}}
    started = await client.post("/v1beta/models/gemini-2.5-flash:batchGenerateContent", json=body)
    name: str = started.json()["name"]
    ended = await client.post(
        f"/control/jobs/{name.rpartition('/')[2]}", json={"state": "succeeded"}
    )
    assert ended.status_code == 200, ended.text
    return name


async def heard(subscriber: Subscriber, event_type: str) -> Mapping[str, str]:
    """Return the attributes of the next event of a type."""
    async with asyncio.timeout(SECONDS):
        while True:
            message = await subscriber.receive()
            if message.attributes["ce-type"] == event_type:
                return dict(message.attributes)


async def subscriptions(made: Site) -> AsyncIterator[Any]:
    """Yield every subscription of the project."""
    listed = await emulated(
        made.cloud, SUBSCRIBER, "ListSubscriptions", project=made.cloud.state.root
    )
    for each in listed.subscriptions:
        yield each


@contextlib.asynccontextmanager
async def storage(made: Site, member: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of Cloud Storage that is a member."""
    where = (await made.cloud.variables_for(member))["STORAGE_EMULATOR_HOST"]
    async with httpx2.AsyncClient(base_url=where, trust_env=False, timeout=SECONDS) as client:
        yield client
