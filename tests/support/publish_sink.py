"""A Pub/Sub that can publish and nothing else, and that does what a test tells it."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.pubsub_v1 import types

from localcloud.core import rpc

Behaviour = Callable[[Any], Awaitable[Any]]


class Sink:
    """Serves `Publish`; keeps each call's messages, and the ids it confirmed."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.stored: list[Any] = []
        self.behave: Behaviour = self.store
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self._ids = itertools.count(1)
        self._listener: rpc.Listener | None = None
        self.address = "127.0.0.1:0"

    async def start(self) -> None:
        """Listen; again on the same address after a stop."""
        method = rpc.Method(
            "unary_unary", types.PublishRequest.pb(), types.PublishResponse.pb(), self._publish
        )
        services = {"google.pubsub.v1.Publisher": {"Publish": method}}
        self._listener = await rpc.listen(services, guard=self._guard, address=self.address)
        self.address = self._listener.address

    async def stop(self) -> None:
        if self._listener:
            await self._listener.stop()

    async def store(self, request: Any) -> Any:
        """Confirm every message."""
        self.stored.extend(request.messages)
        ids = [str(next(self._ids)) for _ in request.messages]
        return types.PublishResponse.pb()(message_ids=ids)

    async def hang(self, request: Any) -> Any:
        """Confirm every message once the gate opens."""
        await self.gate.wait()
        return await self.store(request)

    def refuse(self, code: grpc.StatusCode, times: int = 1_000_000) -> None:
        """Answer so many calls with a status, and store from then on."""
        left = itertools.count(times, -1)

        async def refusing(request: Any) -> Any:
            if next(left) > 0:
                raise rpc.RpcError(code, "refused by the test")
            return await self.store(request)

        self.behave = refusing

    @property
    def sizes(self) -> list[int]:
        """How many messages each call brought."""
        return [len(call.messages) for call in self.calls]

    async def _guard(self, call: rpc.Call) -> None:
        self.metadata.append(dict(call.metadata))

    async def _publish(self, request: Any) -> Any:
        self.calls.append(request)
        self.called.set()
        return await self.behave(request)
