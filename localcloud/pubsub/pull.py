"""Pulling: one answer at a time, or a stream of them."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from typing import Any

from google.pubsub_v1 import types

from localcloud.pubsub.backlog import Backlog
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.errors import invalid
from localcloud.pubsub.lease import Lease
from localcloud.pubsub.validation import MAX_ACK_DEADLINE_SECONDS, check_ack_deadline

# The most that the service sends in one reply.
MAX_BATCH = 1000
MAX_BATCH_BYTES = 10_000_000

_PullResponse = types.PullResponse.pb()
_StreamingPullResponse = types.StreamingPullResponse.pb()


class Puller:
    """The methods Pull and StreamingPull.

    A Pull that finds nothing waits `wait_seconds` before it answers with nothing.
    """

    def __init__(self, broker: Broker, wait_seconds: float) -> None:
        self._broker = broker
        self._wait_seconds = wait_seconds

    async def pull(self, request: Any) -> Any:
        """Lease up to `max_messages` messages; the answer may hold none."""
        subscription = self._broker.subscription(request.subscription)
        subscription.check_pullable()
        if request.max_messages <= 0:
            raise invalid(
                f"The value for max_messages must be greater than 0; it is {request.max_messages}."
            )
        backlog = subscription.backlog
        if not request.return_immediately:
            await backlog.wait(self._wait_seconds)
        leases = backlog.take(min(request.max_messages, MAX_BATCH), size=MAX_BATCH_BYTES)
        reply = _PullResponse()
        _write(reply.received_messages, leases, with_attempt=_has_dead_letters(backlog))
        return reply

    async def streaming_pull(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Send messages as they come, within the flow control of the first request.

        Ends when the client does, and with `RpcError` for a request that is refused, or once the
        subscription is deleted.
        """
        first = await anext(requests, None)
        if first is None:
            raise invalid("A stream needs a first request, with a subscription.")
        subscription = self._broker.subscription(first.subscription)
        subscription.check_pullable()
        stream = _Stream(subscription.backlog, first)
        reading = asyncio.ensure_future(stream.read(requests))
        try:
            while (leases := await stream.next(reading)) is not None:
                reply = _StreamingPullResponse()
                reply.subscription_properties.message_ordering_enabled = (
                    subscription.proto.enable_message_ordering
                )
                _write(
                    reply.received_messages,
                    leases,
                    with_attempt=_has_dead_letters(subscription.backlog),
                )
                yield reply
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


class _Stream:
    """One streaming pull: its flow control, and how much the client holds."""

    def __init__(self, backlog: Backlog, first: Any) -> None:
        self._backlog = backlog
        self._deadline = 0
        self._messages_left = float(first.max_outstanding_messages)
        self._bytes_left = float(first.max_outstanding_bytes)
        if self._messages_left <= 0:
            self._messages_left = math.inf
        if self._bytes_left <= 0:
            self._bytes_left = math.inf
        self._room = asyncio.Event()
        self._room.set()
        check_ack_deadline(first.stream_ack_deadline_seconds, "stream_ack_deadline_seconds")
        self._apply(first)

    async def read(self, requests: AsyncIterator[Any]) -> None:
        """Apply what the client sends until it ends the stream."""
        async for request in requests:
            if (
                request.subscription
                or request.max_outstanding_messages
                or (request.max_outstanding_bytes)
            ):
                raise invalid(
                    "subscription, max_outstanding_messages and max_outstanding_bytes "
                    "can only be set on the first request of a stream."
                )
            self._apply(request)

    async def next(self, reading: asyncio.Future[None]) -> list[Lease] | None:
        """Return the next messages to send, or None once the client has ended the stream."""
        taking = asyncio.ensure_future(self._take())
        try:
            await asyncio.wait((reading, taking), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                return reading.result()
            return taking.result()
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def _take(self) -> list[Lease]:
        while True:
            await self._room.wait()
            await self._backlog.wait()
            leases = self._lease()
            if leases:
                return leases

    def _lease(self) -> list[Lease]:
        leases = self._backlog.take(
            int(min(self._messages_left, MAX_BATCH)),
            self._deadline,
            size=min(self._bytes_left, MAX_BATCH_BYTES),
            ended=self._ended,
        )
        self._messages_left -= len(leases)
        self._bytes_left -= sum(lease.message.size for lease in leases)
        self._update_room()
        return leases

    def _ended(self, lease: Lease) -> None:
        self._messages_left += 1
        self._bytes_left += lease.message.size
        self._update_room()

    def _update_room(self) -> None:
        if self._messages_left >= 1 and self._bytes_left > 0:
            self._room.set()
        else:
            self._room.clear()

    def _apply(self, request: Any) -> None:
        if request.stream_ack_deadline_seconds:
            check_ack_deadline(request.stream_ack_deadline_seconds, "stream_ack_deadline_seconds")
            self._deadline = request.stream_ack_deadline_seconds
        if len(request.modify_deadline_ack_ids) != len(request.modify_deadline_seconds):
            raise invalid("modify_deadline_ack_ids and modify_deadline_seconds must be as many.")
        self._backlog.acknowledge(request.ack_ids)
        for ack_id, seconds in zip(
            request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True
        ):
            if not 0 <= seconds <= MAX_ACK_DEADLINE_SECONDS:
                raise invalid(f"Invalid ack deadline given: {seconds}.")
            self._backlog.modify([ack_id], seconds)


def _has_dead_letters(backlog: Backlog) -> bool:
    return bool(backlog.policy.dead_letter_topic)


def _write(received_messages: Any, leases: Iterable[Lease], *, with_attempt: bool) -> None:
    for lease in leases:
        received = received_messages.add(ack_id=lease.ack_id)
        received.message.CopyFrom(lease.message.proto)
        if with_attempt:
            received.delivery_attempt = lease.attempt
