from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from localcloud.core.clock import ManualClock
from localcloud.secretmanager import SecretManager

Invoke = Callable[..., Awaitable[Any]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def emulator(clock: ManualClock) -> SecretManager:
    return SecretManager(clock)


@pytest.fixture
def invoke(emulator: SecretManager) -> Invoke:
    return invoker(emulator)


def invoker(emulator: SecretManager) -> Invoke:
    """Calls a method by name as gRPC would."""

    async def call(name: str, /, **fields: Any) -> Any:
        service = emulator.services["google.cloud.secretmanager.v1.SecretManagerService"]
        return await service[name].handler(service[name].request(**fields))

    return call


async def create(invoke: Invoke, **fields: Any) -> str:
    secret = {"replication": {"automatic": {}}, **fields}
    reply = await invoke("CreateSecret", parent="projects/p", secret_id="s", secret=secret)
    return str(reply.name)


async def add(invoke: Invoke, secret: str, data: bytes = b"x") -> str:
    return str((await invoke("AddSecretVersion", parent=secret, payload={"data": data})).name)
