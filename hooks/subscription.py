"""Receiving a topic's messages with Google's own subscriber, through a temporary subscription."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import grpc
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1 import Subscription
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import ExpirationPolicy

from hooks.errors import HooksError, UsageError
from localcloud.core import clients

_EXPIRES = timedelta(days=1)
_ENDING_SECONDS = 5.0


@dataclass(frozen=True)
class Received:
    """A message that the subscriber received."""

    message_id: str
    data: bytes
    attributes: Mapping[str, str]
    published: datetime


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
    topic: str, *, emulator: str = "", message_filter: str = "", prefix: str = "hooks"
) -> AsyncIterator[Listener]:
    """Listen on `topic` (its full name) from now on, through a temporary subscription.

    `message_filter` is in Pub/Sub's syntax. The subscription is deleted with the block; if this
    process is killed, Pub/Sub deletes it after a day. `emulator` is `host:port`. Raises
    `UsageError` if there is no such topic or the filter does not parse.
    """
    project = topic.split("/")[1]
    name = f"projects/{project}/subscriptions/{prefix}-{secrets.token_hex(6)}"
    wanted = Subscription(
        name=name,
        topic=topic,
        filter=message_filter,
        expiration_policy=ExpirationPolicy(ttl=_EXPIRES),
    )
    async with clients.subscriber(emulator) as admin:
        try:
            await admin.create_subscription(wanted)
        except GoogleAPICallError as error:
            raise UsageError(f"cannot subscribe to {topic}: {error.message}") from error
        try:
            async with _streaming(name, emulator) as listener:
                yield listener
        finally:
            # If that fails, the subscription expires after a day.
            with contextlib.suppress(GoogleAPIError):
                await admin.delete_subscription(subscription=name, retry=None, timeout=5.0)


@contextlib.asynccontextmanager
async def _streaming(subscription: str, emulator: str) -> AsyncIterator[Listener]:
    loop = asyncio.get_running_loop()
    listener = Listener()

    def take(message: Any) -> None:
        received = Received(
            message.message_id, message.data, dict(message.attributes), message.publish_time
        )
        loop.call_soon_threadsafe(listener.put, received)
        message.ack()

    def ended(future: Any) -> None:
        if not future.cancelled() and (error := future.exception()):
            loop.call_soon_threadsafe(listener.put, error)

    with _client(emulator) as client:
        stream = client.subscribe(subscription, callback=take)
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
