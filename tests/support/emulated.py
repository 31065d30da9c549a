"""The embedded Firestore and Pub/Sub behind one address, on the test's own event loop."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient
from google.pubsub_v1 import types

from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.firestore import Firestore
from localcloud.pubsub import PubSub
from relay.gcp.store import FirestoreStore, create_store

PROJECT = "my-project"
TOPICS = f"projects/{PROJECT}/topics/"


@dataclass
class Emulated:
    """A running pair; `guard`, where set, sees each call before it takes effect."""

    address: str
    pubsub: PubSub
    environ: dict[str, str]
    calls: Counter[str] = field(default_factory=Counter)
    guard: Callable[[rpc.Call], None] | None = None

    async def topic(self, name: str) -> None:
        """Create a topic and a subscription of the same name."""
        await self._call("CreateTopic", types.Topic(name=TOPICS + name))
        subscription = types.Subscription(name=_subscription(name), topic=TOPICS + name)
        await self._call("CreateSubscription", subscription)

    async def messages(self, name: str) -> list[tuple[bytes, dict[str, str]]]:
        """Return what a topic has got since, as data and attributes."""
        request = types.PullRequest(
            subscription=_subscription(name), max_messages=1000, return_immediately=True
        )
        received = (await self._call("Pull", request)).received_messages
        return [(each.message.data, dict(each.message.attributes)) for each in received]

    async def _call(self, method: str, request: Any) -> Any:
        for service in self.pubsub.services.values():
            if method in service:
                return await service[method].handler(type(request).pb(request))
        raise LookupError(method)


def _subscription(name: str) -> str:
    return f"projects/{PROJECT}/subscriptions/{name}"


Services = dict[str, rpc.Service]


@contextlib.asynccontextmanager
async def emulated(
    around: Callable[[Services], Services] = lambda services: services,
) -> AsyncIterator[Emulated]:
    """Run a fresh pair while the block lasts; `around` may wrap its methods."""
    clock = SystemClock()
    pubsub, firestore = PubSub(clock), Firestore(clock)

    async def guard(call: rpc.Call) -> None:
        running.calls[call.method.rpartition("/")[2]] += 1
        if running.guard:
            running.guard(call)

    listener = await rpc.listen(around({**pubsub.services, **firestore.services}), guard=guard)
    environ = {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "PUBSUB_EMULATOR_HOST": listener.address,
        "FIRESTORE_EMULATOR_HOST": listener.address,
    }
    running = Emulated(listener.address, pubsub, environ)
    try:
        yield running
    finally:
        await listener.stop()
        await pubsub.close()
        await firestore.close()


@contextlib.asynccontextmanager
async def ledger_store(running: Emulated) -> AsyncIterator[FirestoreStore]:
    """The ledger's store over the emulated Firestore, closed afterwards."""
    store = create_store(running.environ, "deliveries")
    yield store
    await store.close()


@contextlib.asynccontextmanager
async def firestore_client(running: Emulated) -> AsyncIterator[AsyncClient]:
    """A client of the emulated Firestore, closed afterwards."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", running.address)
        client = AsyncClient(project=PROJECT)
    yield client
    await client._firestore_api.transport.close()
