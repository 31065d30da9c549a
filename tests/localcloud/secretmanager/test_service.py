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


async def test_a_secret_is_gone_once_its_time_to_live_is_over(
    invoke: Invoke, clock: ManualClock
) -> None:
    secret = await create(invoke, ttl={"seconds": 60})
    assert (await invoke("GetSecret", name=secret)).expire_time.seconds == int(clock.time()) + 60
    await add(invoke, secret)
    await clock.advance(60)
    for method, fields in {
        "GetSecret": {"name": secret},
        "AccessSecretVersion": {"name": f"{secret}/versions/1"},
    }.items():
        with pytest.raises(RpcError) as gone:
            await invoke(method, **fields)
        assert gone.value.code is grpc.StatusCode.NOT_FOUND
    assert list((await invoke("ListSecrets", parent="projects/p")).secrets) == []
    await create(invoke)


async def test_a_secret_cannot_expire_in_the_past(invoke: Invoke, clock: ManualClock) -> None:
    past = {"seconds": int(clock.time()) - 1}
    with pytest.raises(RpcError, match="expire in the past"):
        await create(invoke, expire_time=past)


async def test_replicas_are_described(invoke: Invoke) -> None:
    replicas = [{"location": "europe-west1"}, {"location": "europe-west4"}]
    secret = await create(invoke, replication={"user_managed": {"replicas": replicas}})
    version = await invoke("GetSecretVersion", name=await add(invoke, secret))
    described = version.replication_status.user_managed.replicas
    assert [each.location for each in described] == ["europe-west1", "europe-west4"]


@pytest.mark.parametrize("alias", ["latest", "1st", ""])
async def test_an_alias_cannot_be_mistaken_for_a_number(invoke: Invoke, alias: str) -> None:
    with pytest.raises(RpcError, match="must begin with a letter"):
        await create(invoke, version_aliases={alias: 1})


async def test_an_alias_of_nothing_is_not_found(invoke: Invoke) -> None:
    secret = await create(invoke, version_aliases={"next": 2})
    await add(invoke, secret)
    for version in ("next", "other"):
        with pytest.raises(RpcError, match="not found"):
            await invoke("GetSecretVersion", name=f"{secret}/versions/{version}")


async def test_a_secret_is_deleted_under_its_etag(invoke: Invoke) -> None:
    secret = await create(invoke)
    with pytest.raises(RpcError, match="does not match the current etag"):
        await invoke("DeleteSecret", name=secret, etag='"other"')
    etag = (await invoke("GetSecret", name=secret)).etag
    await invoke("DeleteSecret", name=secret, etag=etag)
    with pytest.raises(RpcError, match="not found"):
        await invoke("GetSecret", name=secret)


async def test_close_is_all_there_is_to_it(emulator: SecretManager) -> None:
    await emulator.close()
