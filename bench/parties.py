"""Who is measured: our receiver, the handlers that people write, and the framework's limits."""

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
from localcloud.runner.process import FUNCTIONS, FunctionProcess

HERE = Path(__file__).parent
PEERS = HERE / "peers"
PROJECT = "bench-project"
TOPIC = f"projects/{PROJECT}/topics/ingress"


@dataclass(frozen=True)
class Party:
    """One contestant. `publishes` tells whether each of its 200s must be a stored message."""

    name: str
    title: str
    source: Path
    publishes: bool
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_go(self) -> bool:
        """Tell whether this is a binary built from Go."""
        return self.source.suffix == ".go"


RECEIVER = Party("receiver", "this kit's receiver", FUNCTIONS, publishes=True)
USUAL = Party("usual", "usual handler: sync, verify, publish().result()", PEERS / "usual.py", True)
SAMPLE = Party(
    "sample", "documentation's sample: sync, publishes nothing", PEERS / "sample.py", False
)
NOOP_SYNC = Party("noop-sync", "framework's no-op, sync", PEERS / "noop_sync.py", False)
NOOP_ASYNC = Party("noop-async", "framework's no-op, async", PEERS / "noop_async.py", False)
GO = Party("go", "usual handler in Go", HERE / "go" / "handler" / "main.go", True)
GO_TUNED = Party("go-tuned", "the same, tuned", GO.source, True, {"TUNED": "1"})

PYTHON_PARTIES = (RECEIVER, USUAL, SAMPLE, NOOP_SYNC, NOOP_ASYNC)
GO_PARTIES = (GO, GO_TUNED)


@dataclass(frozen=True)
class Running:
    """A contestant at work: where it answers, and the processes that it consists of."""

    url: str
    pid: int


@asynccontextmanager
async def start(party: Party, environ: Mapping[str, str], binaries: Path) -> AsyncIterator[Running]:
    """Run one contestant for as long as the context lasts."""
    environ = {**environ, **party.environ}
    if party.is_go:
        async with _go(binaries / "handler", environ) as running:
            yield running
        return
    function = FunctionProcess(party.name, target="receive", source=party.source, environ=environ)
    async with function:
        yield Running(function.url, function.pid or 0)


@asynccontextmanager
async def _go(binary: Path, environ: Mapping[str, str]) -> AsyncIterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(
        binary, env={**os.environ, **environ, "PORT": str(port)}, stderr=subprocess.DEVNULL
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


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and all its descendants."""
    page = os.sysconf("SC_PAGE_SIZE")
    total, todo = 0, [pid]
    while todo:
        here = Path(f"/proc/{todo.pop()}")
        total += int((here / "statm").read_text().split()[1]) * page
        for thread in (here / "task").iterdir():
            # A thread of a pool may have ended meanwhile.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                todo += map(int, (thread / "children").read_text().split())
    return total


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
    """The Pub/Sub that everybody publishes to: `address` for gRPC, `stats` for its count."""

    address: str
    stats: str
    pid: int

    async def messages(self) -> int:
        """Return how many messages it has stored so far."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            reply = await client.get(f"http://{self.stats}/count")
        return int(json.loads(reply.text)["messages"])

    def cpu_seconds(self) -> float:
        """Return how much CPU it has used so far, to a hundredth of a second or so."""
        # After the name, which may hold anything, come the fields from the third on: proc(5).
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def sink(binaries: Path) -> AsyncIterator[Sink]:
    """Run the sink for as long as the context lasts: the Go program if built, else in Python."""
    built = binaries / "sink"
    command = (built,) if built.exists() else module("bench.sink")
    async with child(*command) as running:
        address, stats = running.greeting.split()
        yield Sink(address, stats, running.process.pid)
