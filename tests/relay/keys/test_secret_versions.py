from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest
from google.api_core import exceptions
from google.cloud.secretmanager_v1.types import service as api

from localcloud.core import rpc
from localcloud.core.clock import ManualClock
from localcloud.secretmanager import SecretManager
from relay.gcp.channels import opener
from relay.keys.cache import KeyCache
from relay.keys.secret import parse_secret
from relay.keys.secret_versions import HOST, SecretVersions
from relay.keys.signing_secret import (
    SECRET_PACE,
    SigningSecretLoader,
    VersionInactive,
    VersionMissing,
)
from tests.support.signing import secret

SECRET = "projects/my-project/secrets/gemini"


@dataclass
class Service:
    """An embedded Secret Manager, and what the receiver makes of it over gRPC."""

    clock: ManualClock
    manager: SecretManager
    versions: SecretVersions
    down: bool = False
    calls: list[str] = field(default_factory=list)

    async def call(self, method: str, request: Any) -> Any:
        service = self.manager.services["google.cloud.secretmanager.v1.SecretManagerService"]
        return await service[method].handler(type(request).pb(request))

    async def add(self, number: int) -> None:
        payload = {"data": secret(number).encode()}
        request = api.AddSecretVersionRequest(parent=SECRET, payload=payload)
        assert (await self.call("AddSecretVersion", request)).name.endswith(f"/{number}")

    async def disable(self, number: int) -> None:
        name = f"{SECRET}/versions/{number}"
        await self.call("DisableSecretVersion", api.DisableSecretVersionRequest(name=name))

    async def guard(self, call: rpc.Call) -> None:
        self.calls.append(call.method.rpartition("/")[2])
        if self.down:
            raise rpc.RpcError(grpc.StatusCode.UNAVAILABLE, "down")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    clock = ManualClock()
    manager = SecretManager(clock)
    channels: list[grpc.aio.Channel] = []

    async def guard(call: rpc.Call) -> None:
        await made.guard(call)

    listener = await rpc.listen(manager.services, guard=guard)
    open_channel = opener(HOST, listener.address)

    async def keep() -> grpc.aio.Channel:
        channels.append(await open_channel())
        return channels[-1]

    made = Service(clock, manager, SecretVersions(SECRET, keep))
    request = api.CreateSecretRequest(
        parent="projects/my-project",
        secret_id="gemini",
        secret={"replication": {"automatic": {}}},
    )
    await made.call("CreateSecret", request)
    yield made
    for channel in channels:
        await channel.close()
    await listener.stop()


async def test_enabled_versions_alone_are_listed(service: Service) -> None:
    for number in (1, 2, 3):
        await service.add(number)
    await service.disable(2)
    assert sorted(await service.versions.enabled()) == [1, 3]


async def test_access(service: Service) -> None:
    await service.add(1)
    await service.add(2)
    assert await service.versions.access(1) == (1, secret(1).encode())
    assert await service.versions.access(None) == (2, secret(2).encode())


async def test_missing_and_inactive(service: Service) -> None:
    await service.add(1)
    await service.disable(1)
    with pytest.raises(VersionInactive):
        await service.versions.access(1)
    with pytest.raises(VersionMissing):
        await service.versions.access(2)


async def test_an_outage_is_neither_and_is_not_retried(service: Service) -> None:
    service.down = True
    with pytest.raises(exceptions.ServiceUnavailable):
        await service.versions.access(1)
    with pytest.raises(exceptions.ServiceUnavailable):
        await service.versions.enabled()
    assert service.calls == ["AccessSecretVersion", "ListSecretVersions"]


async def test_a_rotation_is_seen_at_once_though_the_list_lags(service: Service) -> None:
    await service.add(1)
    now = 0.0
    load = SigningSecretLoader(service.versions)
    cache = KeyCache("signing-secret", load, SECRET_PACE, lambda: now)
    seen = await cache.current()
    assert seen == (parse_secret(secret(1)),)

    service.manager.list_lag_seconds = 3600
    await service.add(2)
    assert await cache.newer(seen) == (parse_secret(secret(2)), parse_secret(secret(1)))

    service.down = True
    now = 400.0
    held = await cache.current()
    assert await cache.newer(held) is None
    assert await cache.current() == held == (parse_secret(secret(2)), parse_secret(secret(1)))
