import traceback
from typing import Any

import grpc
import pytest

from localcloud.core import rpc
from localcloud.core.clock import ManualClock
from localcloud.secretmanager import SecretManager
from relay.gcp.channels import opener
from relay.gcp.secrets import HOST, SecretVersions
from relay.registrar.problems import VaultRefused
from relay.registrar.vault import Vault
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


async def test_a_refusal_names_the_status_and_not_the_secret() -> None:
    async def refuse(_call: rpc.Call) -> None:
        raise rpc.RpcError(grpc.StatusCode.PERMISSION_DENIED, f"no: {SECRET}")

    secrets = SecretManager(ManualClock())
    listener = await rpc.listen(secrets.services, guard=refuse)
    versions = SecretVersions("projects/p/secrets/s", opener(HOST, listener.address))
    vault = Vault(versions)
    calls: list[Any] = [
        vault.add(SECRET),
        vault.readable(1),
        vault.enable(1),
        vault.disable(1),
        vault.enabled(),
    ]
    for call in calls:
        with pytest.raises(VaultRefused, match=r"could not .*: PERMISSION_DENIED") as caught:
            await call
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    await versions.close()
    await listener.stop()
    await secrets.close()
