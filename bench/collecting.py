"""What the collector holds while it copies a large file: `python -m bench.collecting --mib 2048`.

The real function, between a Gemini that makes the file up as it is read and a Cloud Storage that
keeps its checksum alone. Both run in this process, so their memory is not the collector's.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from localcloud.core import clients, rpc
from localcloud.core.clock import SystemClock
from localcloud.core.serving import AppServer
from localcloud.pubsub import PubSub
from localcloud.runner.process import FunctionProcess

MIB = 1 << 20
_CHUNK = bytes(range(256)) * 256
_TOPIC = "projects/my-project/topics/gemini-webhooks-ingress"


@dataclass(frozen=True)
class Collected:
    """A collected file: the growth of the peak of resident memory in bytes, the time in seconds."""

    growth: int
    peak: int
    seconds: float
    digests_equal: bool


class _Store:
    """A Cloud Storage for one upload at a time: counts the bytes, and keeps their checksum."""

    def __init__(self) -> None:
        self.crc = 0
        self.size = 0

    @property
    def digest(self) -> str:
        return base64.b64encode(self.crc.to_bytes(4, "big")).decode()

    async def begin(self, request: Request) -> Response:
        self.crc = self.size = 0
        return Response(headers={"location": f"{request.base_url}session"})

    async def put(self, request: Request) -> Response:
        async for chunk in request.stream():
            self.crc = google_crc32c.extend(self.crc, chunk)
            self.size += len(chunk)
        if request.headers["content-range"].endswith("/*"):
            return Response(status_code=308, headers={"range": f"bytes=0-{self.size - 1}"})
        return JSONResponse({"size": str(self.size), "crc32c": self.digest})

    @property
    def app(self) -> Starlette:
        routes = [
            Route("/upload/storage/v1/b/{bucket}/o", self.begin, methods=["POST"]),
            Route("/session", self.put, methods=["PUT"]),
        ]
        return Starlette(routes=routes)


class _Files:
    """A Gemini whose file `fN` has N bytes."""

    def __init__(self) -> None:
        self.crc = 0

    async def download(self, request: Request) -> Response:
        size = int(request.path_params["id"])
        return StreamingResponse(self._bytes(size), headers={"content-length": str(size)})

    async def _bytes(self, size: int) -> AsyncIterator[bytes]:
        self.crc = 0
        while size:
            chunk = _CHUNK[:size]
            self.crc = google_crc32c.extend(self.crc, chunk)
            size -= len(chunk)
            yield chunk

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1beta/files/f{id:int}:download", self.download)])


async def measure(size: int) -> Collected:
    """Collect a file of `size` bytes after a small one, and return what it took."""
    files, store, pubsub = _Files(), _Store(), PubSub(SystemClock())
    async with contextlib.AsyncExitStack() as unwinding:
        unwinding.push_async_callback(pubsub.close)
        listener = await rpc.listen(pubsub.services)
        unwinding.push_async_callback(listener.stop)
        async with clients.publisher(listener.address) as publisher:
            await publisher.create_topic(name=_TOPIC)
        gemini = await unwinding.enter_async_context(AppServer(files.app))
        storage = await unwinding.enter_async_context(AppServer(store.app))
        environ = {
            "GOOGLE_CLOUD_PROJECT": "my-project",
            "PUBSUB_EMULATOR_HOST": listener.address,
            "STORAGE_EMULATOR_HOST": storage.url,
            "GOOGLE_GEMINI_BASE_URL": gemini.url,
            "GEMINI_API_KEY": "nobody's",
            "BUCKET": "results",
        }
        function = FunctionProcess("collect", target="collect", environ=environ)
        await unwinding.enter_async_context(function)
        async with httpx2.AsyncClient(base_url=function.url, timeout=None) as client:
            await _push(client, 1)
            before, begun = _peak(function), time.monotonic()
            await _push(client, size)
            seconds, peak = time.monotonic() - begun, _peak(function)
    equal = (store.crc, store.size) == (files.crc, size)
    return Collected(peak - before, peak, seconds, equal)


async def _push(client: httpx2.AsyncClient, size: int) -> None:
    event = {"type": "video.generated", "data": {"file_id": f"files/f{size}"}}
    data = base64.b64encode(json.dumps(event).encode()).decode()
    answer = await client.post("/", json={"message": {"data": data, "messageId": "1"}})
    if answer.status_code != 204:
        raise RuntimeError(f"the collector answered {answer.status_code}")


def _peak(function: FunctionProcess) -> int:
    """Return the most bytes that the worker under a function's framework has ever held."""
    leader = function.pid
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    statuses = [Path(f"/proc/{child}/status").read_text() for child in children]
    return sum(int(text.partition("VmHWM:")[2].split()[0]) for text in statuses) * 1024


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=2048)
    size = parser.parse_args().mib * MIB
    found = asyncio.run(measure(size))
    print(
        f"{size // MIB} MiB in {found.seconds:.1f} s; peak {found.peak / MIB:.1f} MiB, "
        f"{found.growth / MIB:.1f} MiB more than before; digests equal: {found.digests_equal}"
    )


if __name__ == "__main__":
    main()
