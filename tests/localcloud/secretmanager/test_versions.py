from typing import Any

import pytest
from google.cloud.secretmanager_v1 import SecretVersion

from localcloud.core.clock import ManualClock
from localcloud.core.rpc import RpcError
from localcloud.secretmanager import SecretManager
from tests.localcloud.secretmanager.conftest import Invoke, add, create

State = SecretVersion.State


async def listed(invoke: Invoke, secret: str, only: str = "") -> dict[str, State]:
    reply = await invoke("ListSecretVersions", parent=secret, filter=only)
    return {each.name.rpartition("/")[2]: State(each.state) for each in reply.versions}


async def test_a_list_lags_while_a_read_by_number_does_not(
    emulator: SecretManager, invoke: Invoke, clock: ManualClock
) -> None:
    emulator.list_lag_seconds = 60.0
    secret = await create(invoke)
    first = await add(invoke, secret)
    assert await listed(invoke, secret) == {}
    latest = f"{secret}/versions/latest"
    with pytest.raises(RpcError, match="has no versions"):
        await invoke("AccessSecretVersion", name=latest)
    assert (await invoke("AccessSecretVersion", name=first)).payload.data == b"x"
    await clock.advance(30)
    await add(invoke, secret, b"y")
    await clock.advance(30)
    assert await listed(invoke, secret) == {"1": State.ENABLED}
    assert (await invoke("AccessSecretVersion", name=latest)).name == first
    await clock.advance(30)
    assert (await invoke("AccessSecretVersion", name=latest)).payload.data == b"y"
    assert list(await listed(invoke, secret)) == ["2", "1"]


async def test_a_lagging_list_shows_states_as_they_were(
    emulator: SecretManager, invoke: Invoke, clock: ManualClock
) -> None:
    emulator.list_lag_seconds = 60.0
    secret = await create(invoke)
    version = await add(invoke, secret)
    await clock.advance(100)
    await invoke("DisableSecretVersion", name=version)
    await clock.advance(10)
    await invoke("DestroySecretVersion", name=version)
    assert (await invoke("GetSecretVersion", name=version)).state == State.DESTROYED
    assert await listed(invoke, secret, "state:ENABLED") == {"1": State.ENABLED}
    await clock.advance(50)
    assert await listed(invoke, secret) == {"1": State.DISABLED}
    await clock.advance(10)
    assert await listed(invoke, secret) == {"1": State.DESTROYED}
    emulator.list_lag_seconds = 0.0
    assert await listed(invoke, secret, "state:ENABLED") == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"page_size": -1}, "cannot be negative"), ({"page_token": "x"}, "not one that a list")],
)
async def test_a_malformed_page_is_refused(
    invoke: Invoke, fields: dict[str, Any], message: str
) -> None:
    secret = await create(invoke)
    with pytest.raises(RpcError, match=message):
        await invoke("ListSecretVersions", parent=secret, **fields)
