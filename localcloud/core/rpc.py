"""Serving a gRPC API from a client library's own protobuf types.

Google publishes clients without servicers; a table of methods replaces them. Several listeners may
serve the same state in memory, each for one identity: a guard sees every call before its method
does, and may refuse, delay or count it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import grpc
from google.protobuf.message import Message

Kind = Literal["unary_unary", "unary_stream", "stream_unary", "stream_stream"]


class RpcError(Exception):
    """Ends a call with a gRPC status, as the service itself would."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Method:
    """One method; both types are raw protobuf classes.

    `handler` takes the request (or an asynchronous iterator of them) and returns the reply, or is
    an asynchronous generator of replies.
    """

    kind: Kind
    request: type[Message]
    reply: type[Message]
    handler: Callable[..., Any]


Service = Mapping[str, Method]
"""Methods by name, for example `{"Publish": Method(…)}`."""


@dataclass(frozen=True)
class Call:
    """A call as a guard sees it; `request` is None for a method that takes a stream."""

    identity: str | None
    method: str
    request: Message | None
    metadata: Mapping[str, str]


Guard = Callable[[Call], Awaitable[None]]
"""Called before each method, e.g. for `google.pubsub.v1.Publisher/Publish`; may raise `RpcError`.

For methods that take a stream, it is called once for the stream and once for each request in it.
"""


async def allow(_call: Call) -> None:
    """Allow every call."""


@dataclass(frozen=True)
class Listener:
    """A listening address, `host:port`, the server behind it, and the tasks of its calls."""

    address: str
    server: grpc.aio.Server
    calls: set[asyncio.Task[Any]]

    async def stop(self) -> None:
        """Stop at once; return once the calls under way have ended."""
        await self.server.stop(grace=None)
        # gRPC cancels them and waits for none. For each that is left at the end of the loop, a
        # traceback is printed.
        while self.calls:
            await asyncio.wait(self.calls)
        await asyncio.sleep(0)


async def listen(
    services: Mapping[str, Service],
    *,
    identity: str | None = None,
    guard: Guard = allow,
    address: str = "127.0.0.1:0",
) -> Listener:
    """Serve services by their full names on `address` (port 0: a free one), as `identity`."""
    calls: set[asyncio.Task[Any]] = set()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), *_LIMITS])
    for name, service in services.items():
        handlers = {
            method: _handler(f"{name}/{method}", definition, identity, guard, calls)
            for method, definition in service.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    host = address.rpartition(":")[0]
    port = server.add_insecure_port(address)
    await server.start()
    return Listener(f"{host}:{port}", server, calls)


# Pub/Sub takes requests of 10 MB; gRPC's own default is 4 MiB.
_LIMITS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", 32 << 20),
    ("grpc.max_send_message_length", 32 << 20),
)


def _begin(calls: set[asyncio.Task[Any]]) -> None:
    """Add the task of a call to those that are under way."""
    if task := asyncio.current_task():
        calls.add(task)
        task.add_done_callback(calls.discard)


def _handler(
    name: str,
    method: Method,
    identity: str | None,
    guard: Guard,
    calls: set[asyncio.Task[Any]],
) -> grpc.RpcMethodHandler:
    async def admit(request: Message | None, context: Any) -> None:
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        await guard(Call(identity, name, request, metadata))

    async def requests(stream: AsyncIterator[Message], context: Any) -> AsyncIterator[Message]:
        async for request in stream:
            await admit(request, context)
            yield request

    async def unary(incoming: Any, context: Any) -> Any:
        _begin(calls)
        try:
            streamed = method.kind.startswith("stream")
            await admit(None if streamed else incoming, context)
            return await method.handler(requests(incoming, context) if streamed else incoming)
        except RpcError as error:
            await context.abort(error.code, error.message)

    async def stream(incoming: Any, context: Any) -> AsyncIterator[Any]:
        _begin(calls)
        try:
            streamed = method.kind.startswith("stream")
            await admit(None if streamed else incoming, context)
            async for reply in method.handler(
                requests(incoming, context) if streamed else incoming
            ):
                yield reply
        except RpcError as error:
            await context.abort(error.code, error.message)

    make = getattr(grpc, f"{method.kind}_rpc_method_handler")
    behaviour = stream if method.kind.endswith("_stream") else unary
    handler: grpc.RpcMethodHandler = make(
        behaviour,
        request_deserializer=method.request.FromString,
        response_serializer=method.reply.SerializeToString,
    )
    return handler
