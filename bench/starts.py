"""Cold starts of the deployed functions: from the process to its answer to the first request."""

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx2

from bench import load, parties
from bench.cloud import NAMES, cloud
from bench.cores import Cores, on
from bench.events import envelope, message
from bench.identity import Signer, identity
from bench.parties import PROJECT
from bench.plan import Plan, alternate
from bench.progress import Say
from localcloud.laptop.names import Names
from localcloud.laptop.provision import keep_signing_secret, provision
from localcloud.runner.environment import check_source
from localcloud.runner.process import FUNCTIONS, FunctionProcess

LIBRARIES: Mapping[str, Sequence[str]] = {
    "receive": ("google.pubsub_v1.types", "google.cloud.secretmanager_v1"),
    "dispatch": ("google.pubsub_v1.types", "google.cloud.firestore_v1"),
    "registrar": ("google.cloud.firestore_v1", "google.cloud.secretmanager_v1", "httpx2"),
}
"""The client libraries that each function cannot do without, by the function's name."""

BUILD_ENVIRON = {"SOURCE_DATE_EPOCH": "315532801"}
"""What a build finds in its environment, as `infra/modules/function` sets it."""

_NOWHERE = "http://127.0.0.1:9/"
# The registrar stores secrets of its own, with which nobody signs here.
_REGISTERED = Names(PROJECT, "registered")


@dataclass(frozen=True)
class First:
    """The first request to a function, a POST; its answer must be a success."""

    path: str = "/"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Starter:
    """A function to start in an environment, and what makes its first request."""

    target: str
    source: Path
    environ: Mapping[str, str]
    first: Callable[[], First]


async def measure(
    plan: Plan, cores: Cores, scratch: Path, say: Say
) -> Sequence[Mapping[str, float]]:
    """Start each function in turn; return the seconds that each took, by name."""
    # As Cloud Build leaves it.
    source, compiled = scratch / "functions", shutil.ignore_patterns("__pycache__")
    shutil.copytree(FUNCTIONS, source, ignore=compiled)
    shutil.copy(FUNCTIONS.parent / "requirements.txt", source)
    await check_source(source, environ=BUILD_ENVIRON)
    async with AsyncExitStack() as stack:
        signer, keys = stack.enter_context(identity())
        environ = keys | await stack.enter_async_context(cloud())
        # As when it is deployed, the receiver reads its secret from Secret Manager.
        secret, address = environ.pop("WEBHOOK_SIGNING_SECRET"), environ["PUBSUB_EMULATOR_HOST"]
        for names in (NAMES, _REGISTERED):
            await keep_signing_secret(names, address, secret)
        await stack.enter_async_context(provision(NAMES, address, endpoint=_NOWHERE))
        everyone = starters(signer, environ, source)
        # The first start fills the disk's cache, and the registrar's makes the webhook.
        for each in everyone.values():
            await start(each, cores)
        return [await _round(everyone, cores, number, say) for number in range(plan.starts)]


def starters(
    signer: Signer, environ: Mapping[str, str], source: Path = FUNCTIONS
) -> Mapping[str, Starter]:
    """Return the deployed functions, from `source`, and the no-op without and with libraries."""
    numbers = count(1)

    def delivery() -> First:
        made = next(load.deliveries(signer.static))
        return First(body=made.body, headers=made.headers)

    def push() -> First:
        return First(body=envelope(message(next(numbers))))

    def converge() -> First:
        return First("/converge")

    registered = {
        "SIGNING_SECRET": _REGISTERED.signing_secret,
        "WEBHOOK_URI": _NOWHERE,
        "GEMINI_API_KEY": "bench",
    }
    receive = {**environ, "SIGNING_SECRET": NAMES.signing_secret}
    return {
        "receive": Starter("receive", source, receive, delivery),
        "dispatch": Starter("dispatch", source, environ, push),
        "registrar": Starter("registrar", source, {**environ, **registered}, converge),
        "noop": Starter("receive", parties.NOOP.source, environ, delivery),
        **{
            libraries_of(name): Starter(
                "receive",
                parties.PEERS / "libraries.py",
                {**environ, "LIBRARIES": ",".join(modules)},
                delivery,
            )
            for name, modules in LIBRARIES.items()
        },
    }


def libraries_of(name: str) -> str:
    """Return the name of the no-op that loads a function's libraries."""
    return f"libraries of {name}"


async def _round(
    everyone: Mapping[str, Starter], cores: Cores, number: int, say: Say
) -> Mapping[str, float]:
    came = {}
    for name in alternate(list(everyone), number):
        came[name] = await start(everyone[name], cores)
    told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in came.items())
    say(f"cold start {number + 1}: {told}")
    # In the order of the tables again, whoever came first this time.
    return {name: came[name] for name in everyone}


async def start(starter: Starter, cores: Cores) -> float:
    """Return the seconds from the start of the framework's process to its first answer."""
    process = FunctionProcess(
        starter.target,
        target=starter.target,
        source=starter.source,
        environ=starter.environ,
        freeze=False,
    )
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as client, AsyncExitStack() as stack:
        stack.push_async_callback(process.close)
        with on(cores.party):
            starting = asyncio.create_task(process.start())
            while process.pid is None and not starting.done():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
        begun = time.perf_counter()
        # The socket listens already, so the request waits for the process.
        first = starter.first()
        url = process.url + first.path
        reply = await client.post(url, content=first.body, headers=first.headers)
        seconds = time.perf_counter() - begun
        await starting
        reply.raise_for_status()
    return seconds
