import asyncio
import base64
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.controlplane import Cloud
from localcloud.core.clock import ManualClock
from localcloud.core.serving import AppServer
from tests.localcloud.controlplane.conftest import Api, Json

JOBS = "/cloudscheduler/v1/projects/local-project/locations/europe-west1/jobs"
NAME = "projects/local-project/locations/europe-west1/jobs/tick"


class Target:
    """What a schedule calls."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.url = ""
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.answered = 0

    async def __call__(self, request: Request) -> Response:
        self.requests.append((request.method, dict(request.headers), await request.body()))
        self.called.set()
        await self.gate.wait()
        self.answered += 1
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    made = Target()

    async def answer(request: Request) -> Response:
        return await made(request)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with AppServer(app) as server:
        made.url = server.url
        yield made


def job(target: Target, account: str = "", **more: object) -> Json:
    http: Json = {"uri": f"{target.url}/tick", "httpMethod": "POST"}
    if account:
        http["oidcToken"] = {"serviceAccountEmail": account, "audience": "https://a"}
    return {
        "name": NAME,
        "schedule": "*/5 * * * *",
        "timeZone": "Etc/UTC",
        "httpTarget": http,
        **more,
    }


async def test_a_job_is_due_when_its_schedule_says(
    cloud: Cloud, api: Api, clock: ManualClock, target: Target, account: str
) -> None:
    made = await api("POST", JOBS, job(target, account))
    # The manual clock begins at 2027-01-15T08:00:00Z.
    assert made["scheduleTime"] == "2027-01-15T08:05:00.000000Z"
    await clock.advance(299)
    assert target.requests == []
    await clock.advance(1)
    await cloud.scheduler.idle()
    ((method, headers, _),) = target.requests
    assert method == "POST"
    assert headers["x-cloudscheduler-jobname"] == "tick"
    token = headers["authorization"].removeprefix("Bearer ")
    assert cloud.state.issuer.verify(token, {"https://a"})["email"] == account
    shown = await api("GET", f"{JOBS}/tick")
    assert shown["status"] == {}
    assert shown["scheduleTime"] == "2027-01-15T08:10:00.000000Z"


async def test_a_job_can_be_run_paused_and_resumed(
    cloud: Cloud, api: Api, clock: ManualClock, target: Target
) -> None:
    await api("POST", JOBS, job(target))
    await api("POST", f"{JOBS}/tick:run", {})
    assert len(target.requests) == 1
    assert (await api("POST", f"{JOBS}/tick:pause", {}))["state"] == "PAUSED"
    await clock.advance(600)
    await cloud.scheduler.idle()
    assert len(target.requests) == 1
    assert (await api("POST", f"{JOBS}/tick:resume", {}))["state"] == "ENABLED"
    await clock.advance(300)
    await cloud.scheduler.idle()
    assert len(target.requests) == 2


async def test_pausing_a_job_lets_an_attempt_under_way_finish(
    cloud: Cloud, api: Api, clock: ManualClock, target: Target
) -> None:
    target.gate.clear()
    await api("POST", JOBS, job(target))
    await clock.advance(300)
    await target.called.wait()
    await api("POST", f"{JOBS}/tick:pause", {})
    target.gate.set()
    await cloud.scheduler.idle()
    assert target.answered == 1


async def test_a_job_carries_its_body_and_headers(api: Api, target: Target) -> None:
    body = job(target)
    body["httpTarget"] |= {
        "body": base64.b64encode(b"{}").decode(),
        "headers": {"Content-Type": "application/json"},
    }
    await api("POST", JOBS, body)
    await api("POST", f"{JOBS}/tick:run", {})
    ((_, headers, content),) = target.requests
    assert (headers["content-type"], content) == ("application/json", b"{}")


async def test_a_failed_job_is_tried_again_as_often_as_it_says(
    cloud: Cloud, api: Api, clock: ManualClock, target: Target
) -> None:
    retry = {"retryCount": 2, "minBackoffDuration": "10s"}
    await api("POST", JOBS, job(target, retryConfig=retry))
    target.statuses = [503, 500, 500]
    await clock.advance(300)
    for seconds in (10, 20):
        await cloud.scheduler.idle()
        await clock.advance(seconds)
    await cloud.scheduler.idle()
    assert len(target.requests) == 3
    assert (await api("GET", f"{JOBS}/tick"))["status"] == {"code": 13}


async def test_a_job_whose_target_does_not_answer_records_a_status(
    cloud: Cloud, api: Api, target: Target
) -> None:
    target.url = "http://127.0.0.1:1"
    await api("POST", JOBS, job(target))
    assert await cloud.scheduler.fire(NAME) == 0
    assert (await api("GET", f"{JOBS}/tick"))["status"] == {"code": 4}


async def test_without_its_agents_role_no_token_is_minted(
    cloud: Cloud, api: Api, target: Target, account: str
) -> None:
    await api("POST", JOBS, job(target, account))
    (grant,) = (
        binding
        for binding in cloud.state.policies.bindings()
        if binding.role == "roles/cloudscheduler.serviceAgent"
    )
    cloud.state.policies.revoke(grant)
    assert await cloud.scheduler.fire(NAME) == 403
    assert target.requests == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"schedule": "every minute"}, "INVALID_ARGUMENT"),
        ({"timeZone": "Mars/Olympus"}, "INVALID_ARGUMENT"),
        ({"httpTarget": {"uri": "ftp://a"}}, "INVALID_ARGUMENT"),
        (
            {"httpTarget": {"uri": "https://a", "oidcToken": {"serviceAccountEmail": "a@b"}}},
            "NOT_FOUND",
        ),
        ({"name": "projects/local-project/locations/europe-west1/jobs/a b"}, "INVALID_ARGUMENT"),
        ({"httpTarget": None, "pubsubTarget": {}}, "UNIMPLEMENTED"),
    ],
)
async def test_what_google_would_refuse_is_refused(
    api: Api, target: Target, change: Json, code: str
) -> None:
    assert (await api.refused("POST", JOBS, job(target) | change))[0] == code


async def test_a_job_is_changed_listed_and_deleted(
    cloud: Cloud, api: Api, clock: ManualClock, target: Target
) -> None:
    await api("POST", JOBS, job(target))
    changed = await api("PATCH", f"{JOBS}/tick?updateMask=schedule", {"schedule": "0 * * * *"})
    assert changed["scheduleTime"] == "2027-01-15T09:00:00.000000Z"
    assert changed["retryConfig"]["maxDoublings"] == 5
    assert len((await api("GET", JOBS))["jobs"]) == 1
    await api("DELETE", f"{JOBS}/tick")
    await clock.advance(7200)
    await cloud.scheduler.idle()
    assert target.requests == []
