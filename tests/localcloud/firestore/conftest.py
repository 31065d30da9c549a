from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from localcloud.core.clock import ManualClock
from localcloud.firestore import Firestore

Invoke = Callable[..., Awaitable[Any]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def emulator(clock: ManualClock) -> Firestore:
    return Firestore(clock)


@pytest.fixture
def invoke(emulator: Firestore) -> Invoke:
    """Calls a method by name as gRPC would; a stream of replies becomes a list."""
    return invoker(emulator)


def invoker(emulator: Firestore) -> Invoke:
    async def call(name: str, /, **fields: Any) -> Any:
        method = emulator.services["google.firestore.v1.Firestore"][name]
        reply = method.handler(method.request(**fields))
        if method.kind == "unary_unary":
            return await reply
        return [each async for each in reply]

    return call
