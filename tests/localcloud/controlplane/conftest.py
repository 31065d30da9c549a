from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from localcloud.controlplane import Cloud, Settings
from localcloud.core.clock import ManualClock

Json = dict[str, Any]

SERVICES = (
    "artifactregistry",
    "cloudbuild",
    "cloudfunctions",
    "cloudkms",
    "cloudscheduler",
    "firestore",
    "iam",
    "iamcredentials",
    "pubsub",
    "run",
    "secretmanager",
)


class Api:
    """The local cloud's REST APIs, called as the deployer."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def __call__(
        self, method: str, path: str, body: Json | None = None, *, expect: int = 200, **options: Any
    ) -> Json:
        """Make a call, which must end with a status; return its JSON."""
        answer = await self.client.request(method, path, json=body, **options)
        assert answer.status_code == expect, answer.text
        found: Json = answer.json() if answer.content else {}
        return found

    async def refused(self, method: str, path: str, body: Json | None = None) -> tuple[str, str]:
        """Make a call, which must be refused; return the code and the message."""
        answer = await self.client.request(method, path, json=body)
        error = answer.json()["error"]
        assert answer.status_code == error["code"] >= 400
        return error["status"], error["message"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def cloud(clock: ManualClock) -> AsyncIterator[Cloud]:
    async with Cloud(Settings(clock=clock)) as running:
        yield running


@pytest.fixture
async def api(cloud: Cloud) -> AsyncIterator[Api]:
    for service in SERVICES:
        cloud.state.enable(f"{service}.googleapis.com")
    headers = {"Authorization": "Bearer x"}
    async with httpx2.AsyncClient(base_url=cloud.url, headers=headers, trust_env=False) as client:
        yield Api(client)


@pytest.fixture
async def account(api: Api) -> str:
    """Return the address of a service account, `worker`."""
    body = {"accountId": "worker", "serviceAccount": {"displayName": "Worker"}}
    created = await api("POST", "/iam/v1/projects/local-project/serviceAccounts", body)
    return str(created["email"])
