"""The Publish calls for one topic's messages: tried again, or parted, until each has its answer."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import grpc
import grpc.aio

from relay.errors import PublishRefused, PublishUnavailable, Unavailable
from relay.gcp.batches import fail

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
    """A message on its way; `deadline` is in the loop's time, `result` the id it is given."""

    message: bytes
    """A serialized `PublishRequest` of this message alone: what it takes in a call."""
    deadline: float
    result: asyncio.Future[str]

    @property
    def size(self) -> int:
        """Bytes that it takes in a call."""
        return len(self.message)


Send = Callable[[str, Sequence[Entry]], Awaitable[Sequence[str]]]
"""Makes one call with a topic's messages, and returns the ids that Pub/Sub gave them, in order."""


class PublishCalls:
    """What delivers the messages of a lane to one topic.

    Calls that may succeed later are tried again for as long as anybody waits; of messages that
    share a call, one that Pub/Sub refuses for good does not take the others along.
    """

    def __init__(self, topic: str, send: Send) -> None:
        self._topic = topic
        self._send = send

    async def deliver(self, batch: Sequence[Entry]) -> None:
        """Send a batch, and end every message in it."""
        try:
            await self._attempt(batch)
        finally:
            # Closing the channel cancels the call; nobody is left to wait for nothing.
            fail(batch, partial(PublishUnavailable, "publish-closed"))

    async def _attempt(self, batch: Sequence[Entry]) -> None:
        delays = _delays()
        while waiting := [entry for entry in batch if not entry.result.done()]:
            try:
                _confirm(waiting, await self._send(self._topic, waiting))
            except Unavailable as error:
                fail(waiting, partial(PublishUnavailable, error.reason))
            except grpc.aio.UsageError:
                fail(waiting, partial(PublishUnavailable, "publish-closed"))
            except grpc.aio.AioRpcError as error:
                await self._retry_or_fail(waiting, error, next(delays))

    async def _retry_or_fail(
        self, batch: Sequence[Entry], error: grpc.aio.AioRpcError, delay: float
    ) -> None:
        code = error.code()
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            await self._part(batch, error)
        elif code in _TRANSIENT:
            await asyncio.sleep(delay)
        else:
            fail(batch, partial(PublishUnavailable, f"publish-{code.name.lower()}"))

    async def _part(self, batch: Sequence[Entry], error: grpc.aio.AioRpcError) -> None:
        # One bad message fails its whole call; halving finds it, and lets the others through.
        if len(batch) == 1:
            fail(batch, partial(PublishRefused, error.details() or ""))
            return
        middle = len(batch) // 2
        await asyncio.gather(self.deliver(batch[:middle]), self.deliver(batch[middle:]))


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
