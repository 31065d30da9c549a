from typing import Any

import grpc
import pytest

from localcloud.core.clock import ManualClock
from localcloud.core.rpc import RpcError
from localcloud.secretmanager import SecretManager
from tests.localcloud.secretmanager.conftest import Invoke, add, create, invoker


async def test_names_bear_the_number_of_the_project(clock: ManualClock) -> None:
    numbers = {"p": "123", "123": "123"}
    invoke = invoker(SecretManager(clock, project_number=lambda project: numbers[project]))
    assert await create(invoke) == "projects/123/secrets/s"
    assert await add(invoke, "projects/p/secrets/s") == "projects/123/secrets/s/versions/1"
    for project in numbers:
        secret = await invoke("GetSecret", name=f"projects/{project}/secrets/s")
        assert secret.name == "projects/123/secrets/s"
        listed = await invoke("ListSecrets", parent=f"projects/{project}")
        assert [each.name for each in listed.secrets] == [secret.name]
        assert listed.total_size == 1


async def test_replicas_are_described(invoke: Invoke) -> None:
    replicas = [{"location": "europe-west1"}, {"location": "europe-west4"}]
    secret = await create(invoke, replication={"user_managed": {"replicas": replicas}})
    version = await invoke("GetSecretVersion", name=await add(invoke, secret))
    described = version.replication_status.user_managed.replicas
    assert [each.location for each in described] == ["europe-west1", "europe-west4"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expire_time", {"seconds": 2_000_000_000}),
        ("ttl", {"seconds": 60}),
        ("version_destroy_ttl", {"seconds": 86400}),
        ("version_aliases", {"next": 2}),
    ],
)
async def test_fields_that_are_not_imitated_are_refused_by_name(
    invoke: Invoke, field: str, value: dict[str, Any]
) -> None:
    with pytest.raises(RpcError, match=f"a secret's {field}") as created:
        await create(invoke, **{field: value})
    assert created.value.code is grpc.StatusCode.UNIMPLEMENTED
    secret = {"name": await create(invoke), field: value}
    with pytest.raises(RpcError, match=f"a secret's {field}"):
        await invoke("UpdateSecret", secret=secret, update_mask={"paths": [field]})


async def test_filters_that_are_not_imitated_are_refused(invoke: Invoke) -> None:
    secret = await create(invoke)
    for text in ("state:DISABLED OR state:DESTROYED", "state:ENABLE", "create_time>2020"):
        with pytest.raises(RpcError, match="does not imitate the filter"):
            await invoke("ListSecretVersions", parent=secret, filter=text)
    with pytest.raises(RpcError, match="does not imitate the filter"):
        await invoke("ListSecrets", parent="projects/p", filter="name:s")


async def test_a_secret_is_deleted_under_its_etag(invoke: Invoke) -> None:
    secret = await create(invoke)
    with pytest.raises(RpcError, match="does not match the current etag"):
        await invoke("DeleteSecret", name=secret, etag='"other"')
    etag = (await invoke("GetSecret", name=secret)).etag
    await invoke("DeleteSecret", name=secret, etag=etag)
    with pytest.raises(RpcError, match="not found"):
        await invoke("GetSecret", name=secret)


async def test_close_returns(emulator: SecretManager) -> None:
    await emulator.close()
