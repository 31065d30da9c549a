"""The sink in Python, where Go is not installed; it does what `go/sink` does.

It writes the addresses of its Publisher service and of its count, and ends with its standard input.
"""

import asyncio
import itertools
import sys
from typing import Any

import uvloop
from google.pubsub_v1.types import PublishRequest, PublishResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core import rpc
from localcloud.core.serving import AppServer


class Sink:
    """Takes Publish calls, answers with message ids, and counts messages."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self.messages = 0
        self.calls = 0

    async def publish(self, request: Any) -> Any:
        """Take the messages of one call."""
        self.calls += 1
        self.messages += len(request.messages)
        ids = [str(next(self._ids)) for _ in request.messages]
        return PublishResponse.pb()(message_ids=ids)

    async def count(self, _request: Request) -> Response:
        """Return the numbers of messages and calls."""
        return JSONResponse({"messages": self.messages, "calls": self.calls})

    @property
    def services(self) -> dict[str, rpc.Service]:
        """What `rpc.listen` serves."""
        types = PublishRequest.pb(), PublishResponse.pb()
        publish = rpc.Method("unary_unary", *types, self.publish)
        return {"google.pubsub.v1.Publisher": {"Publish": publish}}


async def serve() -> None:
    """Serve until standard input ends."""
    sink = Sink()
    listener = await rpc.listen(sink.services)
    async with AppServer(Starlette(routes=[Route("/count", sink.count)])) as stats:
        print(listener.address, stats.url.removeprefix("http://"), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await listener.stop()


if __name__ == "__main__":
    uvloop.run(serve())
