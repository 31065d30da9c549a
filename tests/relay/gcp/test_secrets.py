import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest
from google.cloud.secretmanager_v1.types import service as api

from localcloud.core import rpc
from localcloud.core.clock import ManualClock
from localcloud.secretmanager import SecretManager
from relay.errors import SecretManagerError, Unavailable, VersionInactive, VersionMissing
from relay.gcp.channels import opener
from relay.gcp.secrets import HOST, SecretVersions
from relay.keys.cache import KeyCache
from relay.keys.secret import parse_secret
from relay.keys.signing_secret import SECRET_PACE, SigningSecretLoader
from tests.support.signing import secret

SECRET = "projects/my-project/secrets/gemini"

Operation = Callable[[SecretVersions], Coroutine[Any, Any, Any]]

OPERATIONS: dict[str, Operation] = {
    "list": lambda versions: versions.enabled(),
    "access": lambda versions: versions.access(1),
    "add": lambda versions: versions.add(secret(1).encode()),
    "enable": lambda versions: versions.enable(1),
    "disable": lambda versions: versions.disable(1),
}


@dataclass
class Service:
    """An embedded Secret Manager, and the versions of one secret over gRPC."""

    clock: ManualClock
    manager: SecretManager
    address: str = ""
    refusal: grpc.StatusCode | None = None
    refusals: int = 1_000_000
    calls: list[str] = field(default_factory=list)
    opened: list[SecretVersions] = field(default_factory=list)

    def versions(self, secret: str = SECRET, **options: Any) -> SecretVersions:
        self.opened.append(SecretVersions(secret, opener(HOST, self.address), **options))
        return self.opened[-1]

    def refuse(self, code: grpc.StatusCode, times: int = 1_000_000) -> None:
        self.refusal, self.refusals = code, times

    async def guard(self, call: rpc.Call) -> None:
        self.calls.append(call.method.rpartition("/")[2])
        if self.refusal and self.refusals:
            self.refusals -= 1
            raise rpc.RpcError(self.refusal, f"no: {secret(1)}")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    clock = ManualClock()
    made = Service(clock, SecretManager(clock))
    listener = await rpc.listen(made.manager.services, guard=made.guard)
    made.address = listener.address
    request = api.CreateSecretRequest(
        parent="projects/my-project",
        secret_id="gemini",
        secret={"replication": {"automatic": {}}},
    )
    method = made.manager.services["google.cloud.secretmanager.v1.SecretManagerService"]
    await method["CreateSecret"].handler(api.CreateSecretRequest.pb(request))
    yield made
    for versions in made.opened:
        await versions.close()
    await listener.stop()


@pytest.fixture
def versions(service: Service) -> SecretVersions:
    return service.versions()


async def test_versions_are_numbered_as_they_are_added(versions: SecretVersions) -> None:
    assert await versions.add(b"first") == 1
    assert await versions.add(b"second") == 2
    assert await versions.access(1) == (1, b"first")
    assert await versions.access(None) == (2, b"second")


async def test_only_enabled_versions_are_listed(versions: SecretVersions) -> None:
    for number in (1, 2, 3):
        await versions.add(secret(number).encode())
    await versions.disable(2)
    assert (await versions.enabled()).keys() == {1, 3}
    await versions.enable(2)
    assert (await versions.enabled()).keys() == {1, 2, 3}


async def test_the_list_says_when_a_version_was_created(
    service: Service, versions: SecretVersions
) -> None:
    await versions.add(b"first")
    created = (await versions.enabled())[1]
    assert created.timestamp() == pytest.approx(service.clock.time())


async def test_the_list_is_read_in_one_call(
    service: Service, versions: SecretVersions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.gcp.secrets._MOST_LISTED", 2)
    for number in (1, 2, 3):
        await versions.add(secret(number).encode())
    service.calls.clear()
    assert (await versions.enabled()).keys() == {2, 3}
    assert service.calls == ["ListSecretVersions"]


async def test_a_missing_version(versions: SecretVersions) -> None:
    for operation in (versions.access(7), versions.enable(7), versions.disable(7)):
        with pytest.raises(VersionMissing, match="NOT_FOUND"):
            await operation


async def test_a_missing_secret(service: Service) -> None:
    missing = service.versions(f"{SECRET}-other")
    for operation in (missing.enabled(), missing.access(1), missing.add(b"")):
        with pytest.raises(VersionMissing, match="NOT_FOUND"):
            await operation


async def test_an_inactive_version(versions: SecretVersions) -> None:
    await versions.add(b"first")
    await versions.disable(1)
    with pytest.raises(VersionInactive, match="FAILED_PRECONDITION"):
        await versions.access(1)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_refusal_names_the_status_and_nothing_of_the_request(
    service: Service, versions: SecretVersions, operation: str, code: grpc.StatusCode
) -> None:
    service.refuse(code)
    with pytest.raises(SecretManagerError) as caught:
        await OPERATIONS[operation](versions)
    assert caught.value.status == code.name
    assert not isinstance(caught.value, VersionMissing | VersionInactive)
    assert secret(1) not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


async def test_a_call_is_made_once_by_default(service: Service, versions: SecretVersions) -> None:
    service.refuse(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(SecretManagerError):
        await versions.access(1)
    assert service.calls == ["AccessSecretVersion"]


async def test_an_outage_is_retried_where_that_is_asked_for(service: Service) -> None:
    versions = service.versions(timeout=30, retry=True)
    service.refuse(grpc.StatusCode.UNAVAILABLE, times=2)
    assert await versions.add(b"first") == 1
    assert service.calls == ["AddSecretVersion"] * 3


async def test_retries_end_with_the_timeout(service: Service) -> None:
    versions = service.versions(timeout=0.1, retry=True)
    service.refuse(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(SecretManagerError):
        await versions.access(1)


async def test_first_calls_at_once_share_one_channel(service: Service) -> None:
    channels: list[grpc.aio.Channel] = []
    open_channel = opener(HOST, service.address)

    async def counting() -> grpc.aio.Channel:
        await asyncio.sleep(0)
        channels.append(await open_channel())
        return channels[-1]

    versions = SecretVersions(SECRET, counting)
    await asyncio.gather(versions.add(b"a"), versions.enabled())
    assert len(channels) == 1
    await versions.close()


async def test_missing_credentials_are_named() -> None:
    async def refuse() -> grpc.aio.Channel:
        raise Unavailable("credentials")

    with pytest.raises(SecretManagerError, match="credentials"):
        await SecretVersions(SECRET, refuse).enabled()


async def test_a_rotation_is_seen_at_once_though_the_list_lags(
    service: Service, versions: SecretVersions
) -> None:
    await versions.add(secret(1).encode())
    now = 0.0
    load = SigningSecretLoader(versions)
    cache = KeyCache("signing-secret", load, SECRET_PACE, lambda: now)
    seen = await cache.current()
    assert seen == (parse_secret(secret(1)),)

    service.manager.list_lag_seconds = 3600
    await versions.add(secret(2).encode())
    assert await cache.newer(seen) == (parse_secret(secret(2)), parse_secret(secret(1)))

    service.refuse(grpc.StatusCode.UNAVAILABLE)
    now = 400.0
    held = await cache.current()
    assert await cache.newer(held) is None
    assert await cache.current() == held == (parse_secret(secret(2)), parse_secret(secret(1)))
