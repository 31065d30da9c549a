from typing import Any

import grpc.aio
import pytest

from localcloud.core import rpc
from localcloud.core.clock import ManualClock
from localcloud.secretmanager import SecretManager
from relay.errors import Unavailable
from relay.gcp.channels import opener
from relay.registrar import vault as vaults
from relay.registrar.problems import VaultRefused
from relay.registrar.vault import HOST, SecretManagerVault
from tests.relay.registrar.world import World

SECRET = "whsec_c2VjcmV0"


async def test_a_version_is_stored_read_disabled_and_enabled(world: World) -> None:
    site = await world.site()
    vault = site.vault()
    assert await vault.enabled() == frozenset()
    assert await vault.add(SECRET) == 1
    assert await site.versions() == {1: SECRET}
    assert await vault.readable(1)
    assert not await vault.readable(2)
    await vault.disable(1)
    assert not await vault.readable(1)
    assert await vault.enable(1)
    assert await vault.enabled() == frozenset({1})
    assert not await vault.enable(2)
    await vault.disable(2)


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE])
async def test_a_refusal_names_the_status_and_not_the_secret(
    code: grpc.StatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.registrar.vault._RETRY", vaults._RETRY.with_timeout(0.1))

    async def refuse(_call: rpc.Call) -> None:
        raise rpc.RpcError(code, f"no: {SECRET}")

    secrets = SecretManager(ManualClock())
    listener = await rpc.listen(secrets.services, guard=refuse)
    opened: list[grpc.aio.Channel] = []
    connect = opener(HOST, listener.address)

    async def remembered() -> grpc.aio.Channel:
        opened.append(await connect())
        return opened[-1]

    vault = SecretManagerVault("projects/p/secrets/s", remembered)
    calls: list[Any] = [
        vault.add(SECRET),
        vault.readable(1),
        vault.enable(1),
        vault.disable(1),
        vault.enabled(),
    ]
    for call in calls:
        with pytest.raises(VaultRefused) as caught:
            await call
        assert SECRET not in str(caught.value)
        assert caught.value.__context__ is None
        if code is grpc.StatusCode.PERMISSION_DENIED:
            assert "PERMISSION_DENIED" in str(caught.value)
    for channel in opened:
        await channel.close()
    await listener.stop()
    await secrets.close()


async def test_without_credentials_the_reason_says_so() -> None:
    async def closed() -> grpc.aio.Channel:
        raise Unavailable("credentials")

    vault = SecretManagerVault("projects/p/secrets/s", closed)
    with pytest.raises(VaultRefused, match="credentials"):
        await vault.enabled()
