"""Cold starts: from the start of the process to its answer to the first delivery."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx2

from bench import load, parties
from bench.load import Delivery, Sign
from bench.parties import Party
from bench.plan import to_and_fro
from bench.progress import Say
from localcloud.runner.process import FunctionProcess


async def measure(
    count: int, environ: Mapping[str, str], sign: Sign, say: Say
) -> Sequence[Mapping[str, float]]:
    """Start the receiver, the no-op and the usual handler in turn; return the seconds each took."""
    rounds = []
    for number in range(count):
        came = {}
        for party in to_and_fro((parties.RECEIVER, parties.NOOP_ASYNC, parties.USUAL), number):
            delivery = next(load.deliveries(sign))
            came[party.name] = await _start(party, environ, delivery)
        told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in came.items())
        say(f"cold start {number + 1}: {told}")
        rounds.append(came)
    return rounds


async def _start(party: Party, environ: Mapping[str, str], delivery: Delivery) -> float:
    """Return the seconds from the start of the process to its first confirmed delivery."""
    function = FunctionProcess(party.name, target="receive", source=party.source, environ=environ)
    async with _closing(function):
        begun = time.monotonic()
        # The socket listens already, so the delivery waits for the process.
        sent = asyncio.create_task(_send(function.url, delivery))
        await function.start()
        return await sent - begun


async def _send(url: str, delivery: Delivery) -> float:
    headers = {
        "webhook-id": delivery.id,
        "webhook-timestamp": str(delivery.timestamp),
        "webhook-signature": delivery.signature,
    }
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:
        reply = await client.post(url, content=delivery.body, headers=headers)
    reply.raise_for_status()
    return time.monotonic()


@asynccontextmanager
async def _closing(function: FunctionProcess) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await function.close()
