"""One campaign: the receiver as a process, what it needs, and everybody who talks to it."""

import asyncio
import base64
import contextlib
import json
import os
import random
import secrets
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from google.pubsub_v1.types import Topic
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.core import clients, rpc
from localcloud.core.clock import SystemClock
from localcloud.core.serving import AppServer
from localcloud.gemini import Gemini
from localcloud.laptop.names import Names
from localcloud.laptop.provision import keep_signing_secret
from localcloud.pubsub import PubSub
from localcloud.runner.process import FunctionProcess
from localcloud.secretmanager import SecretManager
from tests.hostile.account import Account
from tests.hostile.endless import EndlessClients
from tests.hostile.honest import Honest, honest_id
from tests.hostile.sender import Order
from tests.hostile.signers import Keys, Signer
from tests.hostile.slow import SlowClients
from tests.soak.memory import resident

AUDIENCE = "https://hooks.example.com/"
_NAMES = Names("hostile")
_ROOT = Path(__file__).resolve().parents[2]
_PUBLISH = "google.pubsub.v1.Publisher/Publish"
_LIST = "google.cloud.secretmanager.v1.SecretManagerService/ListSecretVersions"
_SAMPLE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Options:
    """How large a campaign is: until `requests` are sent or `seconds` are over.

    `pause` is between honest deliveries, in seconds.
    """

    requests: int = 1_000_000
    seed: int = 1
    parallel: int = 16
    slow_clients: int = 200
    pause: float = 0.05
    seconds: float = float("inf")


@dataclass
class _Watch:
    """Counts what reaches the emulators and the JWKS, and reads the receiver's log."""

    calls: Counter[str]
    published: set[str]
    log_lines: int
    tracebacks: list[str]

    async def guard(self, call: rpc.Call) -> None:
        self.calls[call.method] += 1
        if call.method == _PUBLISH:
            request: Any = call.request
            self.published |= {honest_id(message) for message in request.messages}

    def counted(self, app: ASGIApp) -> ASGIApp:
        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            self.calls["jwks"] += 1
            await app(scope, receive, send)

        return counting

    def read(self, _name: str, line: str) -> None:
        self.log_lines += 1
        if "Traceback" in line or "Error" in line.partition(":")[0]:
            self.tracebacks.append(line[:300])


async def run(options: Options, on_progress: Callable[[int], None] = lambda _: None) -> Account:
    """Run one campaign to its end."""
    watch = _Watch(Counter(), set(), 0, [])
    async with contextlib.AsyncExitStack() as unwinding:
        gemini = Gemini(SystemClock())
        unwinding.push_async_callback(gemini.close)
        simulator = await unwinding.enter_async_context(AppServer(watch.counted(gemini.app)))
        keys = _keys(gemini)
        host = await _emulate(watch, keys.secret, unwinding)
        environ = {
            "GOOGLE_CLOUD_PROJECT": _NAMES.project,
            "PUBSUB_EMULATOR_HOST": host,
            "SECRET_MANAGER_EMULATOR_HOST": host,
            "INGRESS_TOPIC": _NAMES.ingress,
            "SIGNING_SECRET": _NAMES.signing_secret,
            "JWKS_URI": f"{simulator.url}/.well-known/jwks.json",
            "SCHEMES": "v1,v1a,jwt",
            "JWT_AUDIENCE": AUDIENCE,
        }
        receiver = await unwinding.enter_async_context(
            FunctionProcess("receive", target="receive", environ=environ, on_line=watch.read)
        )
        return await _under_fire(options, receiver, keys, watch, on_progress)


async def _emulate(watch: _Watch, secret: str, unwinding: contextlib.AsyncExitStack) -> str:
    pubsub, secret_manager = PubSub(SystemClock()), SecretManager(SystemClock())
    for emulator in (pubsub, secret_manager):
        unwinding.push_async_callback(emulator.close)
    services = {**pubsub.services, **secret_manager.services}
    listener = await rpc.listen(services, guard=watch.guard)
    unwinding.push_async_callback(listener.stop)
    async with clients.publisher(listener.address) as publisher:
        await publisher.create_topic(Topic(name=_NAMES.ingress))
    await keep_signing_secret(_NAMES, listener.address, secret)
    return listener.address


def _keys(gemini: Gemini) -> Keys:
    ed25519, rsa = gemini.keys.ed25519, gemini.keys.rsa
    private = rsa.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Keys(
        secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        ed25519=ed25519.private.private_bytes_raw().hex(),
        ed25519_kid=ed25519.kid,
        rsa=private.decode(),
        rsa_kid=rsa.kid,
        audience=AUDIENCE,
    )


async def _under_fire(
    options: Options,
    receiver: FunctionProcess,
    keys: Keys,
    watch: _Watch,
    on_progress: Callable[[int], None],
) -> Account:
    address = urlsplit(receiver.url)
    host, port = str(address.hostname), int(address.port or 0)
    order = Order(
        host=host,
        port=port,
        requests=options.requests,
        seed=options.seed,
        parallel=options.parallel,
        keys=asdict(keys),
        seconds=options.seconds,
    )
    chance = random.Random(options.seed)  # noqa: S311 - not a secret
    honest = Honest(receiver.url, Signer(keys, chance), options.pause)
    account = Account()
    stop = asyncio.Event()
    began = time.monotonic()
    slow = SlowClients(host, port, options.slow_clients, options.seed)
    endless = EndlessClients(host, port)
    idle = resident(receiver.pid) if receiver.pid else None
    async with slow, endless, asyncio.TaskGroup() as group:
        group.create_task(honest.run(stop))
        samples = group.create_task(_sample(receiver, stop))
        tally = await _send(order, on_progress)
        account.slow_open = slow.open
        stop.set()
    account.slow_ended = slow.ended
    account.endless_ended, account.endless_forever = endless.ended, endless.forever
    account.endless_seconds, account.endless_failed = endless.longest, endless.failed
    account.seconds = time.monotonic() - began
    account.sent, account.received, account.hung = tally["sent"], tally["received"], tally["hung"]
    account.answers = {kind: Counter(found) for kind, found in tally["answers"].items()}
    account.honest, account.honest_stored = honest.answers, honest.stored
    account.honest_failed, account.published = honest.failed, watch.published
    account.jwks_fetches, account.secret_loads = watch.calls["jwks"], watch.calls[_LIST]
    account.log_lines, account.tracebacks = watch.log_lines, watch.tracebacks
    account.mebibytes = [*([idle] if idle else []), *samples.result()]
    return account


async def _send(order: Order, on_progress: Callable[[int], None]) -> dict[str, Any]:
    async with _sender() as process:
        stdin = cast("asyncio.StreamWriter", process.stdin)
        stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        await stdin.drain()
        while True:
            line = await cast("asyncio.StreamReader", process.stdout).readline()
            if not line:
                raise RuntimeError(f"the sender ended with status {await process.wait()}")
            known: dict[str, Any] = json.loads(line)
            if "tally" in known:
                tally: dict[str, Any] = known["tally"]
                return tally
            on_progress(known["sent"])


@contextlib.asynccontextmanager
async def _sender() -> AsyncIterator[Process]:
    paths = os.pathsep.join([str(_ROOT / "functions"), str(_ROOT)])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.hostile.sender"),
        stdin=PIPE,
        stdout=PIPE,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        limit=1 << 24,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _sample(receiver: FunctionProcess, stop: asyncio.Event) -> list[float]:
    found: list[float] = []
    while not stop.is_set():
        if receiver.pid and (mebibytes := resident(receiver.pid)):
            found.append(mebibytes)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _SAMPLE_SECONDS)
    return found
