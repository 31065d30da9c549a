"""Jobs on the laptop: a lost webhook is announced in its place, and the result is fetched."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import AsyncClient

from hooks.subscription import listening
from localcloud.core import rpc
from localcloud.laptop import jobs, stack
from relay.jobs import JOBS, documents, names

SECONDS = 60.0
JOB = f"job_{'5' * 32}"


@pytest.fixture
async def running() -> AsyncIterator[stack.Stack]:
    options = stack.Options(environ={}, dispatch={"JOBS_DATABASE": jobs.DATABASE})
    async with stack.run(options) as made:
        yield made


async def ended_unannounced(made: stack.Stack, client: httpx2.AsyncClient) -> str:
    """Return an interaction that has ended, and whose webhook never comes."""
    body = {"input": "Why?", "agent": "deep-research", "background": True, "store": True}
    started = await client.post("/v1beta/interactions", json=body)
    identifier: str = started.json()["id"]
    made.gemini.webhooks.delete(made.webhook.id)
    await client.post(f"/control/jobs/{identifier}", json={"state": "completed"})
    return identifier


async def follow(made: stack.Stack, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the document of a job that was started an hour ago, as the library does."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", made.hosts[stack.FIRESTORE])
    client = AsyncClient(
        project=made.names.project, database=jobs.DATABASE, credentials=AnonymousCredentials()
    )
    before = datetime.now(UTC) - timedelta(hours=1)
    fields = documents.starting(JOB, names.INTERACTION, "a-token", before)
    fields |= documents.started(documents.Record.of(JOB, fields), name, before)
    await client.collection(JOBS).document(JOB).create(fields)
    await client._firestore_api.transport.close()


async def test_a_lost_webhook_is_announced_and_its_result_collected(
    running: stack.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini = httpx2.AsyncClient(
        base_url=running.gemini_url, headers={"x-goog-api-key": "a-key"}, trust_env=False
    )
    events = listening(running.names.events, emulator=running.hosts[stack.PUBSUB])
    async with gemini, events as messages, jobs.following(running) as followed:
        name = await ended_unannounced(running, gemini)
        await follow(running, name, monkeypatch)
        answer = await gemini.post(followed.reconcile.url, timeout=SECONDS)
        assert (answer.status_code, answer.json()["announced"]) == (200, 1)
        seen: dict[str, Any] = {}
        async with asyncio.timeout(SECONDS):
            while "relay.job.collected" not in seen:
                message = await anext(aiter(messages))
                seen[message.attributes["ce-type"]] = message
        end = seen["interaction.completed"].attributes
        assert (end["scheme"], end["job"], end["ce-subject"]) == ("reconciled", JOB, name)
        assert seen["relay.job.collected"].attributes["scheme"] == "collected"
        [found] = followed.objects.list(jobs.BUCKET)["items"]
        assert found["name"].startswith(f"interaction/{name}/")
        result = (await gemini.get(f"/v1beta/interactions/{name}")).content
        assert followed.objects.get(jobs.BUCKET, found["name"]).content == result
    # Nothing of it is left to push to.
    assert running.pubsub
    with pytest.raises(rpc.RpcError, match="collect"):
        running.pubsub.backlog(running.names.subscription("collect"))
