"""The reconciler and the collector as deployed, against the laptop's emulators.

The webhook of an interaction is lost. The reconciler announces its end in its place, the event is
pushed to the collector, and the collector copies the result and announces that.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
import httpx2
import pytest_asyncio

from localcloud.core.clock import SystemClock
from localcloud.core.serving import AppServer
from localcloud.gemini import Gemini, Settings
from localcloud.runner.process import FunctionProcess
from localcloud.storage import Objects, application
from relay.gcp.database import FirestoreDatabase, Write, create_database
from relay.jobs import documents, names
from tests.support.emulated import Emulated, emulated

INGRESS = "gemini-webhooks-ingress"
DEAD_LETTER = "gemini-webhooks-dead-letter"


@dataclass
class Running:
    """Both functions, and what is around them."""

    gemini: Gemini
    cloud: Emulated
    objects: Objects
    jobs: FirestoreDatabase
    reconcile: str
    collect: str
    http: httpx2.AsyncClient

    async def announced(self) -> tuple[dict[str, Any], dict[str, str], bytes]:
        """Return the one message that the ingress topic has got since."""
        [(data, attributes)] = await self.cloud.messages(INGRESS)
        return json.loads(data), attributes, data

    async def push(self, data: bytes, attributes: Mapping[str, str], days: int = 0) -> int:
        """Push a message that is some days old to the collector; return its answer's status."""
        published = datetime.now(UTC) - timedelta(days=days)
        message = {
            "data": base64.b64encode(data).decode(),
            "attributes": attributes,
            "publishTime": published.isoformat(),
        }
        answer = await self.http.post(self.collect, json={"message": message})
        return answer.status_code


@pytest_asyncio.fixture(loop_scope="session")
async def running() -> AsyncIterator[Running]:
    gemini = Gemini(SystemClock(), Settings(job_seconds=None))
    objects = Objects(SystemClock())
    async with contextlib.AsyncExitStack() as unwinding:
        cloud = await unwinding.enter_async_context(emulated())
        await cloud.topic(INGRESS)
        await cloud.topic(DEAD_LETTER)
        api = await unwinding.enter_async_context(AppServer(gemini.app))
        storage = await unwinding.enter_async_context(AppServer(application(objects, {"results"})))
        unwinding.push_async_callback(gemini.close)
        environ = {
            **cloud.environ,
            "BUCKET": "results",
            "GEMINI_API_KEY": "nobody's",
            "GOOGLE_GEMINI_BASE_URL": api.url,
            "JOBS_DATABASE": "gemini-jobs",
            "STORAGE_EMULATOR_HOST": storage.url,
        }
        jobs = create_database(environ, "JOBS_DATABASE")
        unwinding.push_async_callback(jobs.close)
        functions = [
            FunctionProcess(target, target=target, environ=environ)
            for target in ("reconcile", "collect")
        ]
        for function in functions:
            unwinding.push_async_callback(function.close)
        await asyncio.gather(*(function.start() for function in functions))
        http = await unwinding.enter_async_context(httpx2.AsyncClient(timeout=30))
        urls = [function.url for function in functions]
        yield Running(gemini, cloud, objects, jobs, urls[0], urls[1], http)


async def test_a_lost_webhook_is_announced_and_its_result_collected(running: Running) -> None:
    interaction = running.gemini.jobs.interactions.create(
        {"model": "flash", "input": "Say hello.", "background": True}
    )
    job, hour = names.random_id(), datetime.now(UTC) - timedelta(hours=1)
    intent = documents.starting(job, "interaction", "t0ken", hour, metadata={"team": "blue"})
    started = {"name": interaction.id, "state": "running", "started_at": hour, "check_at": hour}
    await running.jobs.commit(Write(f"jobs/{job}", {**intent, **started}))

    # It still runs, so nothing is announced, and the job is asked again in an hour.
    answer = await running.http.post(running.reconcile)
    assert (answer.status_code, answer.json()["examined"]) == (200, 1)
    assert await running.cloud.messages(INGRESS) == []
    [found] = await running.jobs.read(f"jobs/{job}")
    assert found is not None
    assert found.fields["check_at"] > datetime.now(UTC) + timedelta(minutes=59)

    running.gemini.jobs.interactions.advance(interaction, "completed")
    await running.jobs.commit(Write(f"jobs/{job}", {"check_at": hour}, found.version))
    account = (await running.http.post(running.reconcile)).json()
    assert account == dict.fromkeys(account, 0) | {"examined": 1, "ended": 1, "announced": 1}
    body, attributes, data = await running.announced()
    assert (body["type"], body["data"]["id"]) == ("interaction.completed", interaction.id)
    metadata = {"team": "blue", "relay_job": f"{job}.t0ken"}
    assert body["data"]["user_metadata"] == metadata
    assert attributes["scheme"] == "reconciled"
    [found] = await running.jobs.read(f"jobs/{job}")
    assert found is not None
    assert (found.fields["state"], found.fields["check_at"]) == ("ended", None)
    assert (await running.http.post(running.reconcile)).json()["examined"] == 0

    assert await running.push(data, {"ce-id": attributes["webhook-id"], "job": job}) == 204
    body, attributes, _ = await running.announced()
    assert (body["type"], attributes["scheme"]) == ("relay.job.collected", "collected")
    assert body["data"]["user_metadata"] == metadata
    name = f"interaction/{interaction.id}/interaction.json"
    stored = running.objects.get("results", name).content
    assert json.loads(stored)["status"] == "completed"
    [entry] = body["data"]["objects"]
    crc32c = google_crc32c.value(stored).to_bytes(4, "big")
    assert (entry["uri"], entry["size"]) == (f"gs://results/{name}", len(stored))
    assert base64.b64decode(entry["crc32c"]) == crc32c

    # A job that Gemini does not know may still appear; after two days its event is set aside.
    running.gemini.jobs.interactions.jobs.remove(interaction.id)
    assert await running.push(data, {"ce-id": "evt_2"}) == 503
    assert await running.push(data, {"ce-id": "evt_2"}, days=3) == 204
    [(_, attributes)] = await running.cloud.messages(DEAD_LETTER)
    assert (attributes["reason"], attributes["webhook-id"]) == ("expired", "evt_2")
