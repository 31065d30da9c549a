"""The laptop's Google Cloud and Gemini, for functions that need more of it than a sink."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2

from bench.parties import PROJECT
from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.core.serving import AppServer
from localcloud.firestore import Firestore
from localcloud.gemini import Gemini, Settings
from localcloud.laptop.names import Names
from localcloud.pubsub import PubSub
from localcloud.secretmanager import SecretManager

NAMES = Names(PROJECT, "bench")


@asynccontextmanager
async def cloud(guard: rpc.Guard = rpc.allow) -> AsyncIterator[dict[str, str]]:
    """Serve all of it in this process; yield the environment of whoever uses it.

    `guard` sees every call before it is answered. There is neither a topic nor a secret yet, and
    what Gemini delivers is taken at once.
    """
    clock = SystemClock()
    pubsub, firestore, secret_manager = PubSub(clock), Firestore(clock), SecretManager(clock)
    taken = httpx2.MockTransport(lambda _: httpx2.Response(200))
    gemini = Gemini(clock, Settings(), transport=taken)
    async with AsyncExitStack() as stack:
        for each in (pubsub, firestore, secret_manager, gemini):
            stack.push_async_callback(each.close)
        services = {**pubsub.services, **firestore.services, **secret_manager.services}
        listener = await rpc.listen(services, guard=guard)
        stack.push_async_callback(listener.stop)
        simulator = await stack.enter_async_context(AppServer(gemini.app))
        yield {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": listener.address,
            "FIRESTORE_EMULATOR_HOST": listener.address,
            "SECRET_MANAGER_EMULATOR_HOST": listener.address,
            "GOOGLE_GEMINI_BASE_URL": simulator.url,
            "INGRESS_TOPIC": NAMES.ingress,
            "EVENTS_TOPIC": NAMES.events,
            "DEAD_LETTER_TOPIC": NAMES.dead_letter,
        }
