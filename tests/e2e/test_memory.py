"""What the functions hold at the largest values that their variables allow."""

import asyncio
import base64
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2

from localcloud.core import clients, rpc
from localcloud.core.clock import SystemClock
from localcloud.firestore import Firestore
from localcloud.pubsub import PubSub
from localcloud.runner.process import FunctionProcess
from relay.receiver.settings import memory_needed
from tests.e2e.test_connections import peak
from tests.support.signing import secret, v1

MAX_BODY = 1_048_576
RECEIVERS_CONCURRENCY = 80
DISPATCHERS_CONCURRENCY = 40
DISPATCHERS_MIB = 512

# Numbers cost a reader of JSON the most: every two bytes of it become an object.
START, END = b'{"type":"batch.succeeded","data":{"id":"b","x":[', b"1]}}"
EVENT = START + b"1," * ((MAX_BODY - len(START) - len(END)) // 2) + END
ENCODED = base64.b64encode(EVENT).decode()

Send = Callable[[httpx2.AsyncClient, str], Awaitable[httpx2.Response]]


@contextlib.asynccontextmanager
async def running(target: str, **environ: str) -> AsyncIterator[FunctionProcess]:
    pubsub, firestore = PubSub(SystemClock()), Firestore(SystemClock())
    async with contextlib.AsyncExitStack() as unwinding:
        for emulator in (pubsub, firestore):
            unwinding.push_async_callback(emulator.close)
        listener = await rpc.listen({**pubsub.services, **firestore.services})
        unwinding.push_async_callback(listener.stop)
        async with clients.publisher(listener.address) as publisher:
            for name in ("ingress", "events", "dead-letter"):
                topic = f"projects/my-project/topics/gemini-webhooks-{name}"
                await publisher.create_topic(name=topic)
        hosts = {
            "PUBSUB_EMULATOR_HOST": listener.address,
            "FIRESTORE_EMULATOR_HOST": listener.address,
        }
        everything = {"GOOGLE_CLOUD_PROJECT": "my-project", **hosts, **environ}
        function = FunctionProcess(target, target=target, environ=everything)
        yield await unwinding.enter_async_context(function)


async def under_load(function: FunctionProcess, send: Send, concurrency: int) -> Counter[int]:
    """Send so many requests at once; return the statuses."""
    limits = httpx2.Limits(max_connections=concurrency)
    async with httpx2.AsyncClient(
        base_url=function.url, timeout=120.0, limits=limits, trust_env=False
    ) as client:
        answers = await asyncio.gather(*(send(client, f"m{n}") for n in range(concurrency)))
    return Counter(answer.status_code for answer in answers)


async def deliver(client: httpx2.AsyncClient, name: str) -> httpx2.Response:
    timestamp = int(time.time())
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": v1(EVENT, webhook_id=name, timestamp=timestamp),
    }
    return await client.post("/", content=EVENT, headers=headers)


async def push(client: httpx2.AsyncClient, name: str) -> httpx2.Response:
    attributes = {"webhook-id": name, "dedup-key": name, "scheme": "v1"}
    message = {"data": ENCODED, "attributes": attributes, "messageId": name}
    return await client.post("/", json={"message": message})


async def test_the_receiver_holds_as_many_bodies_as_it_says() -> None:
    environ = {"WEBHOOK_SIGNING_SECRET": secret(), "MAX_BODY_BYTES": str(MAX_BODY)}
    async with running("receive", **environ) as function:
        statuses = await under_load(function, deliver, RECEIVERS_CONCURRENCY)
        assert function.pid
        held = peak(function.pid)
    # A busy machine may take longer than a body or a call has.
    assert set(statuses) <= {200, 408, 503}
    assert statuses[200]
    assert held < memory_needed(MAX_BODY, RECEIVERS_CONCURRENCY) / (1 << 20)


async def test_the_dispatcher_holds_as_many_events_as_come_at_once() -> None:
    async with running("dispatch") as function:
        statuses = await under_load(function, push, DISPATCHERS_CONCURRENCY)
        assert function.pid
        held = peak(function.pid)
    assert set(statuses) <= {204, 408, 503}
    assert statuses[204]
    assert held < DISPATCHERS_MIB
