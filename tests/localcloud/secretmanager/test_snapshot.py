"""Secrets survive in a JSON document."""

import json

from localcloud.core.clock import ManualClock
from localcloud.secretmanager import SecretManager
from tests.localcloud.secretmanager.conftest import Invoke, add, create, invoker


async def test_secrets_versions_states_and_payloads_survive(
    emulator: SecretManager, invoke: Invoke, clock: ManualClock
) -> None:
    secret = await create(invoke)
    first, second = await add(invoke, secret, b"\x00one"), await add(invoke, secret, b"two")
    await invoke("DisableSecretVersion", name=first)
    listed = await invoke("ListSecretVersions", parent=secret)

    successor = SecretManager(clock)
    assert successor.mark() != emulator.mark()
    successor.restore(json.loads(json.dumps(emulator.dump())))

    again = invoker(successor)
    assert await again("ListSecretVersions", parent=secret) == listed
    assert (await again("AccessSecretVersion", name=second)).payload.data == b"two"
    await again("EnableSecretVersion", name=first)
    assert (await again("AccessSecretVersion", name=first)).payload.data == b"\x00one"
    assert (await add(again, secret)).endswith("/3")
    versions = (await again("ListSecretVersions", parent=secret)).versions
    assert len({each.etag for each in versions}) == 3
