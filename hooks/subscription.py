"""Receiving a topic's messages with Google's own subscriber, through a temporary subscription."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import grpc
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.pubsub_v1.types import FlowControl
from google.pubsub_v1 import Subscription
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import ExpirationPolicy, RetryPolicy, SeekRequest

from hooks import connections
from hooks.errors import HooksError, UsageError

_EXPIRES = timedelta(days=1)
# The pace at which what is given back comes again.
_RETRIES = RetryPolicy(minimum_backoff=timedelta(seconds=1), maximum_backoff=timedelta(minutes=1))
_MOST_HELD = 100
_ENDING_SECONDS = 5.0


def _settled(_acknowledged: bool) -> None:
    pass


@dataclass(frozen=True)
class Received:
    """A message that the subscriber received; `published` is in UTC.

    `settle` takes whether it is acknowledged, or else given back, once that is to be decided. By
    default it is acknowledged already.
    """

    message_id: str
    data: bytes
    attributes: Mapping[str, str]
    published: datetime
    settle: Callable[[bool], None] = field(default=_settled, compare=False, repr=False)

    @property
    def id(self) -> str:
        """The event's id, or Pub/Sub's id of the message if it bears none."""
        given = self.attributes
        return given.get("ce-id") or given.get("webhook-id") or self.message_id

    @property
    def type(self) -> str:
        """The event's type; empty outside the topics of events."""
        return self.attributes.get("ce-type", "")


class Listener:
    """An asynchronous iterator over the messages of one subscription."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Received | BaseException] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[Received]:
        """Iterate without end; a broken stream raises `HooksError`."""
        return self

    async def __anext__(self) -> Received:
        message = await self._queue.get()
        if isinstance(message, BaseException):
            raise HooksError(f"the subscription broke off: {message}") from message
        return message

    def put(self, message: Received | BaseException) -> None:
        """Add a message, or the error that ends the stream."""
        self._queue.put_nowait(message)


@contextlib.asynccontextmanager
async def listening(
    topic: str,
    *,
    emulator: str = "",
    message_filter: str = "",
    prefix: str = "hooks",
    since: datetime | None = None,
    hold: bool = False,
) -> AsyncIterator[Listener]:
    """Listen on `topic` (its full name) from now on, through a temporary subscription.

    With `since`, it begins with what the topic has retained from then on. With `hold`, whoever gets
    a message settles it. `message_filter` is in Pub/Sub's syntax. The subscription is deleted with
    the block; if this process is killed, Pub/Sub deletes it after a day. `emulator` is `host:port`.
    Raises `UsageError` if there is no such topic or the filter does not parse.
    """
    project = topic.split("/")[1]
    name = f"projects/{project}/subscriptions/{prefix}-{secrets.token_hex(6)}"
    wanted = Subscription(
        name=name,
        topic=topic,
        filter=message_filter,
        expiration_policy=ExpirationPolicy(ttl=_EXPIRES),
        retry_policy=_RETRIES if hold else None,
    )
    async with connections.subscriber(emulator) as admin:
        try:
            await admin.create_subscription(wanted)
        except GoogleAPICallError as error:
            raise UsageError(f"cannot subscribe to {topic}: {error.message}") from error
        try:
            if since:
                await admin.seek(SeekRequest(subscription=name, time=since))
            async with _streaming(name, emulator, hold=hold) as listener:
                yield listener
        finally:
            # If that fails, the subscription expires after a day.
            with contextlib.suppress(GoogleAPIError):
                await admin.delete_subscription(subscription=name, retry=None, timeout=5.0)


@contextlib.asynccontextmanager
async def _streaming(subscription: str, emulator: str, *, hold: bool) -> AsyncIterator[Listener]:
    loop = asyncio.get_running_loop()
    listener = Listener()

    def take(message: Any) -> None:
        def settle(acknowledged: bool) -> None:
            (message.ack if acknowledged else message.nack)()

        received = Received(
            message.message_id,
            message.data,
            dict(message.attributes),
            message.publish_time,
            settle if hold else _settled,
        )
        loop.call_soon_threadsafe(listener.put, received)
        if not hold:
            message.ack()

    def ended(future: Any) -> None:
        if not future.cancelled() and (error := future.exception()):
            loop.call_soon_threadsafe(listener.put, error)

    with _client(emulator) as client:
        flow = FlowControl(max_messages=_MOST_HELD) if hold else ()
        stream = client.subscribe(subscription, callback=take, flow_control=flow)
        stream.add_done_callback(ended)
        try:
            yield listener
        finally:
            stream.cancel()
            # Waits until the messages are acknowledged, but not for a service that is gone. The
            # listener has raised an error.
            with contextlib.suppress(Exception):
                await asyncio.to_thread(stream.result, _ENDING_SECONDS)


def _client(emulator: str) -> SubscriberClient:
    if not emulator:
        return SubscriberClient()
    return SubscriberClient(
        transport=SubscriberGrpcTransport(channel=grpc.insecure_channel(emulator))
    )
