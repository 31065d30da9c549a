"""Who is measured: our receiver, the handlers that people write, and the framework's own cost."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from bench.children import ChildFailed, child, module
from bench.cores import Cores, on
from localcloud.runner.process import FUNCTIONS, FunctionProcess

HERE = Path(__file__).parent
PEERS = HERE / "peers"
PROJECT = "bench-project"
TOPIC = f"projects/{PROJECT}/topics/ingress"


@dataclass(frozen=True)
class Party:
    """A handler to measure. `publishes` says whether each of its 200s must be a stored message."""

    name: str
    title: str
    source: Path
    publishes: bool
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_go(self) -> bool:
        """Whether this is a binary built from Go."""
        return self.source.suffix == ".go"


RECEIVER = Party("receiver", "the relay's receiver", FUNCTIONS, publishes=True)
USUAL = Party("usual", "usual handler", PEERS / "usual.py", publishes=True)
NOOP = Party("noop", "async no-op", PEERS / "noop.py", publishes=False)
GO = Party("go", "usual handler in Go", HERE / "go" / "handler" / "main.go", publishes=True)
GO_TUNED = Party("go-tuned", "tuned handler in Go", GO.source, True, {"TUNED": "1"})

PYTHON_PARTIES = (RECEIVER, USUAL, NOOP)
GO_PARTIES = (GO, GO_TUNED)
BY_NAME = {party.name: party for party in (*PYTHON_PARTIES, *GO_PARTIES)}


@dataclass(frozen=True)
class Running:
    """A running function: where it answers, and the first of its processes."""

    url: str
    pid: int


@asynccontextmanager
async def start(
    party: Party, environ: Mapping[str, str], binaries: Path, cores: Cores
) -> AsyncIterator[Running]:
    """Run a party, on the core for parties, while the context lasts."""
    environ = {**environ, **party.environ}
    if party.is_go:
        async with _go(binaries / "handler", environ, cores) as running:
            yield running
        return
    async with function("receive", environ, cores, source=party.source) as running:
        yield running


@asynccontextmanager
async def function(
    target: str, environ: Mapping[str, str], cores: Cores, *, source: Path = FUNCTIONS
) -> AsyncIterator[Running]:
    """Run a function, on the core for parties, while the context lasts."""
    # Nothing between the load and the server, and no stop: what is measured is the function.
    process = FunctionProcess(target, target=target, source=source, environ=environ, freeze=False)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(process.close)
        with on(cores.party):
            await process.start()
        yield Running(process.url, process.pid or 0)


@asynccontextmanager
async def _go(binary: Path, environ: Mapping[str, str], cores: Cores) -> AsyncIterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environ = {**os.environ, **environ, "PORT": str(port)}
    with on(cores.party):
        process = await asyncio.create_subprocess_exec(
            binary, env=environ, stderr=subprocess.DEVNULL
        )
    try:
        async with httpx2.AsyncClient(trust_env=False) as client:
            while process.returncode is None:
                with contextlib.suppress(httpx2.ConnectError):
                    await client.get(url)
                    break
                await asyncio.sleep(0.02)
        if process.returncode is not None:
            raise ChildFailed(f"the Go handler ended with status {process.returncode}")
        yield Running(url, process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def build_go(binaries: Path) -> bool:
    """Build the sink and the Go handler; False where Go is not installed."""
    if shutil.which("go") is None:
        return False
    binaries.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", "-o", f"{binaries}/", "./..."]
    subprocess.run(command, cwd=HERE / "go", check=True)
    return True


@dataclass(frozen=True)
class Sink:
    """The Pub/Sub that all parties publish to: `address` for gRPC, `stats` for its count."""

    address: str
    stats: str

    async def messages(self) -> int:
        """Return the number of messages that it has stored."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            reply = await client.get(f"http://{self.stats}/count")
        return int(json.loads(reply.text)["messages"])


@asynccontextmanager
async def sink(binaries: Path) -> AsyncIterator[Sink]:
    """Run the sink while the context lasts: the Go program if it was built, else in Python."""
    built = binaries / "sink"
    command = (built,) if built.exists() else module("bench.sink")
    async with child(*command) as running:
        yield Sink(*running.greeting.split())
