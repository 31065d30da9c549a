"""The receiver beside its peers: throughput, latency, cold start and memory."""

import asyncio
import base64
import http.server
import json
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import load, parties
from bench.figures import Rounds
from bench.load import Delivery, Load
from bench.parties import Party, Running, Sink
from hooks.local.process import FunctionProcess

CONNECTIONS = 32


@dataclass(frozen=True)
class Plan:
    """How long to measure: rounds, seconds of load in each, and cold starts of each party."""

    rounds: int
    seconds: float
    starts: int


@dataclass
class Results:
    """All that was measured; latencies in microseconds, starts in seconds, memory in bytes."""

    plan: Plan
    busy: Rounds = ()
    alone: Rounds = ()
    kinds: Rounds = ()
    half: Rounds = ()
    starts: Sequence[Mapping[str, float]] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    sink_rate: float = 0.0
    go: bool = False


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

    async def load(
        self, name: str, *, connections: int, requests: Path | None = None, pause_ms: float = 0.0
    ) -> Load:
        """Load one contestant; every answer must be a 2xx, and a stored message if it says so."""
        before = await self.sink.messages()
        came = await load.run(
            self.running[name].url,
            requests or self.static,
            connections=connections,
            seconds=self.plan.seconds,
            pause_ms=pause_ms,
        )
        stored = await self.sink.messages() - before
        if came.refused or came.broken:
            raise RuntimeError(f"{name} refused {came.refused} and broke {came.broken} of {came}")
        if self.contestants[name].publishes and stored < came.requests:
            raise RuntimeError(f"{name} acknowledged {came.requests} and stored {stored}")
        return came


async def measure(plan: Plan, scratch: Path) -> Results:
    """Measure everything, in alternating rounds."""
    results = Results(plan)
    binaries = scratch / "go"
    results.go = parties.build_go(binaries)
    contestants = parties.PYTHON_PARTIES + (parties.GO_PARTIES if results.go else ())
    static, dynamic = scratch / "static.tsv", scratch / "dynamic.tsv"
    async with AsyncExitStack() as stack:
        signer, environ = stack.enter_context(_identity())
        sink = await stack.enter_async_context(parties.sink(binaries))
        environ = {**environ, "PUBSUB_EMULATOR_HOST": sink.address}
        running = {
            party.name: await stack.enter_async_context(parties.start(party, environ, binaries))
            for party in contestants
        }
        bench = Bench(
            sink, environ, running, {p.name: p for p in contestants}, static, dynamic, plan
        )
        _sign(bench, signer)
        for name in running:
            _say(f"warming {name}")
            await bench.load(name, connections=CONNECTIONS)
        results.busy = await _rounds(bench, "32 connections", CONNECTIONS, signer)
        results.memory = {name: parties.resident_bytes(running[name].pid) for name in running}
        results.alone = await _rounds(bench, "1 connection", 1, signer)
        results.kinds = await _kinds(bench, signer)
        results.half = await _half(bench, signer, results.busy)
        results.sink_rate = await _ceiling(sink)
    results.starts = await _starts(plan, environ, signer, binaries)
    return results


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


def _sign(bench: Bench, signer: Signer) -> None:
    # Anew for each round: a delivery is fresh for five minutes.
    load.write(bench.static, load.deliveries(signer.static))
    load.write(bench.dynamic, load.deliveries(signer.dynamic))


async def _rounds(bench: Bench, title: str, connections: int, signer: Signer) -> Rounds:
    rounds = []
    for number in range(bench.plan.rounds):
        _sign(bench, signer)
        came = {}
        for name in bench.running:
            came[name] = await bench.load(name, connections=connections)
            _say(f"{title}, round {number + 1}, {name}: {came[name].rate:.0f}/s")
        rounds.append(came)
    return rounds


async def _kinds(bench: Bench, signer: Signer) -> Rounds:
    rounds = []
    for number in range(bench.plan.rounds):
        _sign(bench, signer)
        came = {
            kind: await bench.load("receiver", connections=CONNECTIONS, requests=requests)
            for kind, requests in (("v1", bench.static), ("v1a", bench.dynamic))
        }
        _say(f"kinds, round {number + 1}: {came['v1'].rate:.0f}/s, {came['v1a'].rate:.0f}/s")
        rounds.append(came)
    return rounds


async def _half(bench: Bench, signer: Signer, busy: Rounds) -> Rounds:
    # Half of what the receiver can, for both: 32 connections that rest between requests.
    rate = min(came["receiver"].rate for came in busy) / 2
    rounds = []
    for number in range(bench.plan.rounds):
        _sign(bench, signer)
        came = {}
        for name in ("receiver", "noop-async"):
            pause = max(0.0, CONNECTIONS / rate * 1000 - 1.0)
            came[name] = await bench.load(name, connections=CONNECTIONS, pause_ms=pause)
            _say(
                f"half load, round {number + 1}, {name}: {came[name].rate:.0f}/s, "
                f"p99 {came[name].p99 / 1000:.1f} ms"
            )
        rounds.append(came)
    return rounds


async def _ceiling(sink: Sink) -> float:
    """Return how many messages a second the sink takes from a client that only sends."""
    from relay.publisher import create_publisher

    publisher = create_publisher({"PUBSUB_EMULATOR_HOST": sink.address})
    content, end, sent = load.body(1), time.monotonic() + 2.0, 0
    while time.monotonic() < end:
        batch = [publisher.publish(parties.TOPIC, content, {}, timeout=10) for _ in range(2000)]
        sent += len(await asyncio.gather(*batch))
    await publisher.close()
    return sent / (time.monotonic() - end + 2.0)


async def _starts(
    plan: Plan, environ: Mapping[str, str], signer: Signer, binaries: Path
) -> Sequence[Mapping[str, float]]:
    rounds = []
    async with parties.sink(binaries) as sink:
        environ = {**environ, "PUBSUB_EMULATOR_HOST": sink.address}
        for number in range(plan.starts):
            came = {}
            for party in (parties.RECEIVER, parties.NOOP_ASYNC, parties.USUAL):
                delivery = next(load.deliveries(signer.static))
                came[party.name] = await _start(party, environ, delivery)
            told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in came.items())
            _say(f"cold start {number + 1}: {told}")
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


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
