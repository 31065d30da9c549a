"""The Publish calls for one topic: retried or split until every message has an outcome."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, cast
from urllib.parse import quote

import grpc
import grpc.aio
from google.pubsub_v1.types import PublishRequest, PublishResponse

from relay.errors import PublishRefused, PublishUnavailable, Unavailable
from relay.gcp.batches import fail
from relay.gcp.channels import Connection

Message = Any
"""A raw protobuf message, whose fields no type checker sees."""

Stub = Any
"""A `grpc.aio.UnaryUnaryMultiCallable` that takes a request as bytes."""

# The generated classes wrap these.
_Request: Callable[..., Message] = PublishRequest.pb()
_Response: Message = PublishResponse.pb()

_TRANSIENT = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}
"""Codes after which the same call may succeed: those that Google's own publisher retries."""


@dataclass(eq=False, slots=True)
class Entry:
    """A message to publish; `deadline` is on the loop's clock, `result` becomes the message id."""

    message: bytes
    """The message as `serialize` returns it."""
    deadline: float
    result: asyncio.Future[str]

    @property
    def size(self) -> int:
        """Bytes that the message takes in a call."""
        return len(self.message)


class PublishCalls:
    """Makes the Publish calls for one topic's batches.

    A call that may succeed later is retried while anyone waits for its result. Where Pub/Sub
    refuses a batch for one bad message, the batch is split so that the others get through.
    """

    def __init__(self, topic: str, connection: Connection[Stub]) -> None:
        self._topic = topic
        self._connection = connection

    async def deliver(self, batch: Sequence[Entry]) -> None:
        """Publish a batch and complete the result of every message in it."""
        try:
            await self._attempt(batch)
        finally:
            # Closing the channel cancels the call: no result may stay pending.
            fail(batch, partial(PublishUnavailable, "publish-closed"))

    async def _attempt(self, batch: Sequence[Entry]) -> None:
        delays = _delays()
        while waiting := [entry for entry in batch if not entry.result.done()]:
            try:
                _confirm(waiting, await self._call(waiting))
            except Unavailable as error:
                fail(waiting, partial(PublishUnavailable, error.reason))
            except grpc.aio.UsageError:
                fail(waiting, partial(PublishUnavailable, "publish-closed"))
            except grpc.aio.AioRpcError as error:
                await self._retry_or_fail(waiting, error, next(delays))

    async def _call(self, batch: Sequence[Entry]) -> Sequence[str]:
        stub = await self._connection.client()
        request = b"".join((_topic(self._topic), *(entry.message for entry in batch)))
        remaining = max(entry.deadline for entry in batch) - asyncio.get_running_loop().time()
        reply = await stub(
            request,
            timeout=remaining,
            metadata=_routing(self._topic),
            # Without a connection the call waits for one, so recovery needs no further retry.
            wait_for_ready=True,
        )
        ids: Sequence[str] = reply.message_ids
        return ids

    async def _retry_or_fail(
        self, batch: Sequence[Entry], error: grpc.aio.AioRpcError, delay: float
    ) -> None:
        code = error.code()
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            await self._split(batch, error)
        elif code in _TRANSIENT:
            await asyncio.sleep(delay)
        else:
            fail(batch, partial(PublishUnavailable, f"publish-{code.name.lower()}"))

    async def _split(self, batch: Sequence[Entry], error: grpc.aio.AioRpcError) -> None:
        # One bad message fails the whole call; halving finds it, and lets the others through.
        if len(batch) == 1:
            fail(batch, partial(PublishRefused, error.details() or ""))
            return
        middle = len(batch) // 2
        await asyncio.gather(self.deliver(batch[:middle]), self.deliver(batch[middle:]))


def publish_stub(channel: grpc.aio.Channel) -> Stub:
    """Return the stub of Pub/Sub's Publish method, which takes a request as bytes.

    The stub of the library's transport takes messages only, and passes each call through an
    interceptor and a wrapper: a fifth to a third more CPU per call of one message.
    """
    return channel.unary_unary(
        "/google.pubsub.v1.Publisher/Publish",
        request_serializer=None,
        response_deserializer=_Response.FromString,
    )


def serialize(data: bytes, attributes: Mapping[str, str]) -> bytes:
    """Return a serialized `PublishRequest` of one message and no topic.

    Concatenated protobuf messages parse as one, their repeated fields appended, so a batch is
    joined rather than copied field by field:
    https://protobuf.dev/programming-guides/encoding/#last-one-wins

    Raises `PublishRefused` for an attribute that has no UTF-8 encoding.
    """
    request = _Request()
    entries = request.messages.add(data=data).attributes
    try:
        # One by one: assigning the whole mapping takes half as long again.
        for key, value in attributes.items():
            entries[key] = value
        return cast("bytes", request.SerializeToString())
    except ValueError:
        # A lone surrogate has no UTF-8 encoding; no retry changes that.
        raise PublishRefused("an attribute cannot be encoded as UTF-8") from None


@lru_cache(maxsize=256)
def _topic(topic: str) -> bytes:
    return cast("bytes", _Request(topic=topic).SerializeToString())


@lru_cache(maxsize=256)
def _routing(topic: str) -> Sequence[tuple[str, str]]:
    # https://google.aip.dev/client-libraries/4222
    return (("x-goog-request-params", f"topic={quote(topic, safe='')}"),)


def _confirm(batch: Sequence[Entry], ids: Sequence[str]) -> None:
    if len(ids) != len(batch) or not all(ids):
        fail(batch, partial(PublishUnavailable, "publish-unconfirmed"))
        return
    for entry, message_id in zip(batch, ids, strict=True):
        if not entry.result.done():
            entry.result.set_result(message_id)


def _delays() -> Iterator[float]:
    """Yield the seconds to wait before each further attempt: doubling, bounded, with jitter."""
    delay = 0.05
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        delay = min(0.8, 2 * delay)
