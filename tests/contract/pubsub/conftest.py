import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from localcloud.core.clock import SystemClock
from localcloud.core.rpc import Listener, listen
from localcloud.pubsub import PubSub
from tests.contract.pubsub.capabilities import Capabilities
from tests.contract.pubsub.space import Space
from tests.support.loop_thread import LoopThread

VARIABLE = "PUBSUB_EMULATOR_HOST"


@dataclass(frozen=True)
class Emulator:
    address: str
    embedded: bool


@pytest.fixture(scope="session")
def emulator(loop_thread: LoopThread) -> Iterator[Emulator]:
    """The emulator that the environment names, else an embedded one."""
    if os.environ.get(VARIABLE):
        yield Emulator(os.environ[VARIABLE], embedded=False)
        return

    async def start() -> tuple[PubSub, Listener]:
        pubsub = PubSub(SystemClock())
        return pubsub, await listen(pubsub.services)

    pubsub, listener = loop_thread.run(start())
    yield Emulator(listener.address, embedded=True)
    loop_thread.run(listener.stop())
    loop_thread.run(pubsub.close())


@pytest.fixture(scope="session")
def make_space(emulator: Emulator) -> Iterator[Callable[[], Space]]:
    """Makes projects of their own, all over the same two clients."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, emulator.address)
        publisher, subscriber = PublisherClient(), SubscriberClient()
    with publisher, subscriber:
        yield lambda: Space(publisher, subscriber)


@pytest.fixture
def space(make_space: Callable[[], Space]) -> Space:
    """A project of the test's own."""
    return make_space()


@pytest.fixture(scope="session")
def capabilities(make_space: Callable[[], Space], emulator: Emulator) -> Capabilities:
    """What the emulator has."""
    return Capabilities(make_space, embedded=emulator.embedded)


@pytest.fixture
def requires(capabilities: Capabilities) -> Callable[..., None]:
    """`requires("dead-letters")` skips the test by that name where the emulator lacks it."""
    return capabilities.require
