"""The receiver beside its peers: throughput, latency, cold start and memory."""

import asyncio
import base64
import http.server
import json
import secrets
import statistics
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import load, parties
from bench.figures import Rounds
from bench.load import Delivery, Load
from bench.parties import Party, Running, Sink
from bench.plan import Plan
from hooks.local.process import FunctionProcess
from relay.batching import BatchingPublisher
from relay.channels import opener
from relay.lane import Limits

CONNECTIONS = 32
_CEILING_SECONDS = 2.0

Say = Callable[[str], None]
"""Takes a line that tells how far the bench has come."""


@dataclass
class Received:
    """All that was measured of the receiver and its peers.

    Latencies are in microseconds, starts in seconds, memory in bytes, by party. `batched` and
    `single` are what the sink took a second: messages, many to a call, and calls of one message.
    """

    busy: Rounds = ()
    alone: Rounds = ()
    kinds: Rounds = ()
    half: Rounds = ()
    starts: Sequence[Mapping[str, float]] = ()
    memory: Sequence[Mapping[str, float]] = ()
    batched: float = 0.0
    single: float = 0.0


@dataclass(frozen=True)
class Bench:
    """What all measurements share: the contestants at work, and what to send them."""

    sink: Sink
    environ: Mapping[str, str]
    running: Mapping[str, Running]
    contestants: Mapping[str, Party]
    static: Path
    dynamic: Path
    plan: Plan
    signer: "Signer"
    say: Say

    async def load(
        self,
        name: str,
        *,
        connections: int = CONNECTIONS,
        requests: Path | None = None,
        pause_ms: float = 0.0,
        seconds: int = 0,
    ) -> Load:
        """Load one contestant; every answer must be a 2xx, and a stored message if it says so."""
        before, used = await self.sink.messages(), self.sink.cpu_seconds()
        came = await load.run(
            self.running[name].url,
            requests or self.static,
            connections=connections,
            seconds=seconds or self.plan.seconds,
            pause_ms=pause_ms,
        )
        stored = await self.sink.messages() - before
        used = self.sink.cpu_seconds() - used
        if came.refused or came.broken:
            raise RuntimeError(f"{name} refused {came.refused} and broke {came.broken} of {came}")
        if self.contestants[name].publishes and stored < came.requests:
            raise RuntimeError(f"{name} acknowledged {came.requests} and stored {stored}")
        return replace(came, sink_cores=used / came.seconds)

    def sign(self) -> None:
        """Sign anew, as each round does: a delivery is fresh for five minutes."""
        load.write(self.static, load.deliveries(self.signer.static))
        load.write(self.dynamic, load.deliveries(self.signer.dynamic))


async def measure(plan: Plan, binaries: Path, scratch: Path, *, go: bool, say: Say) -> Received:
    """Measure everything, in alternating rounds."""
    received = Received()
    contestants = parties.PYTHON_PARTIES + (parties.GO_PARTIES if go else ())
    static, dynamic = scratch / "static.tsv", scratch / "dynamic.tsv"
    async with AsyncExitStack() as stack:
        signer, environ = stack.enter_context(_identity())
        sink = await stack.enter_async_context(parties.sink(binaries))
        environ = {**environ, "PUBSUB_EMULATOR_HOST": sink.address}
        running = {
            party.name: await stack.enter_async_context(parties.start(party, environ, binaries))
            for party in contestants
        }
        by_name = {party.name: party for party in contestants}
        bench = Bench(sink, environ, running, by_name, static, dynamic, plan, signer, say)
        bench.sign()
        for name in running:
            say(f"warming {name}")
            await bench.load(name, seconds=plan.warm_seconds)
        received.busy, received.memory = await _busy(bench)
        received.alone = await _alone(bench)
        received.kinds = await _kinds(bench)
        received.half = await _half(bench, received.busy)
        received.batched, received.single = await _ceiling(sink)
        received.starts = await _starts(bench)
    return received


@dataclass(frozen=True)
class Signer:
    """Signs for the environment that every contestant is given."""

    static: load.Sign
    dynamic: load.Sign


@contextmanager
def _identity() -> Iterator[tuple[Signer, dict[str, str]]]:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    key = Ed25519PrivateKey.generate()
    jwk = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    with _serve({"keys": [jwk]}) as jwks_uri:
        environ = {
            "GOOGLE_CLOUD_PROJECT": parties.PROJECT,
            "INGRESS_TOPIC": parties.TOPIC,
            "WEBHOOK_SIGNING_SECRET": secret,
            "JWKS_URI": jwks_uri,
        }
        yield Signer(load.sign_v1(secret), load.sign_v1a(key)), environ


@contextmanager
def _serve(document: Mapping[str, object]) -> Iterator[str]:
    content = json.dumps(document).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
        server.shutdown()


async def _busy(bench: Bench) -> tuple[Rounds, Sequence[Mapping[str, float]]]:
    rounds, memory = [], []
    for number in range(bench.plan.rounds):
        rounds.append(await _round(bench, f"32 connections, round {number + 1}", CONNECTIONS))
        memory.append(
            {name: parties.resident_bytes(running.pid) for name, running in bench.running.items()}
        )
    return rounds, memory


async def _alone(bench: Bench) -> Rounds:
    return [
        await _round(bench, f"1 connection, round {number + 1}", 1)
        for number in range(bench.plan.rounds)
    ]


async def _round(bench: Bench, title: str, connections: int) -> Mapping[str, Load]:
    bench.sign()
    came = {}
    for name in bench.running:
        came[name] = await bench.load(name, connections=connections)
        bench.say(f"{title}, {name}: {came[name].rate:.0f}/s")
    return came


async def _kinds(bench: Bench) -> Rounds:
    rounds = []
    for number in range(bench.plan.rounds):
        bench.sign()
        came = {
            kind: await bench.load("receiver", requests=requests)
            for kind, requests in (("v1", bench.static), ("v1a", bench.dynamic))
        }
        told = ", ".join(f"{kind} {each.rate:.0f}/s" for kind, each in came.items())
        bench.say(f"kinds of signature, round {number + 1}: {told}")
        rounds.append(came)
    return rounds


async def _half(bench: Bench, busy: Rounds) -> Rounds:
    """Offer half of what the receiver can to both, by connections that rest between requests."""
    wanted = statistics.median(came["receiver"].rate for came in busy) / 2
    pauses = dict.fromkeys(("receiver", "noop-async"), CONNECTIONS / wanted * 1000)
    rounds = []
    # The first only finds out how long to rest.
    for number in range(bench.plan.rounds + 1):
        bench.sign()
        came = {}
        for name, pause in pauses.items():
            seconds = bench.plan.seconds if number else bench.plan.warm_seconds
            came[name] = await bench.load(name, pause_ms=pause, seconds=seconds)
            rate, p99 = came[name].rate, came[name].p99 / 1000
            pauses[name] = next_pause(pause, rate, wanted, CONNECTIONS)
            told = f"{rate:.0f}/s of {wanted:.0f}/s, p99 {p99:.1f} ms"
            bench.say(f"half load, round {number}, {name}: {told}")
        rounds.append(came)
    return rounds[1:]


def next_pause(pause_ms: float, rate: float, wanted: float, connections: int) -> float:
    """Return the pause between requests with which the rate should come to `wanted` a second."""
    return max(0.0, pause_ms + 1000 * connections * (1 / wanted - 1 / rate))


async def _ceiling(sink: Sink) -> tuple[float, float]:
    """Return what the sink takes a second from a client that only sends: see `Received`."""
    open_channel = opener("", sink.address)
    batched = await _publish(BatchingPublisher(open_channel))
    single = await _publish(BatchingPublisher(open_channel, Limits(messages=1, calls=64)))
    return batched, single


async def _publish(publisher: BatchingPublisher) -> float:
    content, begun, sent = load.body(1), time.monotonic(), 0
    while (passed := time.monotonic() - begun) < _CEILING_SECONDS:
        batch = [publisher.publish(parties.TOPIC, content, {}, timeout=10) for _ in range(2000)]
        sent += len(await asyncio.gather(*batch))
    await publisher.close()
    return sent / passed


async def _starts(bench: Bench) -> Sequence[Mapping[str, float]]:
    rounds = []
    for number in range(bench.plan.starts):
        came = {}
        for party in (parties.RECEIVER, parties.NOOP_ASYNC, parties.USUAL):
            delivery = next(load.deliveries(bench.signer.static))
            came[party.name] = await _start(party, bench.environ, delivery)
        told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in came.items())
        bench.say(f"cold start {number + 1}: {told}")
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
