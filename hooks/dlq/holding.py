"""Looking at a subscription's messages without taking them: each is held, and given back.

A held message is leased, which nobody counts against it, and given back at the end by a deadline
of 0 seconds: https://cloud.google.com/pubsub/docs/lease-management. Should this process be killed,
the leases end by themselves within a minute.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, from_grpc_error
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.types import PullRequest
from grpc.aio import AioRpcError

from hooks.connections import credentials_explained
from hooks.errors import HooksError

_LEASE_SECONDS = 60
_RENEW_SECONDS = 20.0
_PULL_SECONDS = 30.0
_PAUSE_SECONDS = 1.0
# Pub/Sub allows requests of 512 KiB, and an ack id takes about 200 bytes.
_MOST_ACK_IDS = 1000
_MOST_MESSAGES = 500

_PATIENCE = 5
"""Empty answers in a row after which the service, which may hold some back, has no more."""


@dataclass(frozen=True)
class Held:
    """A message that is leased to us, by its `ack_id`; `published` is in UTC."""

    ack_id: str
    message_id: str
    data: bytes
    attributes: dict[str, str]
    published: datetime


class Holding:
    """The messages of one subscription that we hold.

    `patience` is how many empty answers in a row mean that there are no more. The methods raise
    `HooksError` where Pub/Sub refuses.
    """

    def __init__(self, client: SubscriberAsyncClient, subscription: str, *, patience: int) -> None:
        self._client = client
        self.patience = patience
        self._held: dict[str, None] = {}
        self.subscription = subscription

    async def pull(self, most: int) -> list[Held]:
        """Return up to `most` more messages, and hold them; none means that there are no more."""
        for attempt in range(self.patience):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS)
            with _explained(self.subscription):
                found = await self._pull(min(most, _MOST_MESSAGES))
            if found:
                self._held.update(dict.fromkeys(each.ack_id for each in found))
                return found
        return []

    async def messages(self, *, most: int | None = None) -> AsyncIterator[Held]:
        """Iterate over the messages, up to `most` of them, until there are no more."""
        left = most if most is not None else 1 << 62
        while left > 0 and (found := await self.pull(left)):
            left -= len(found)
            for each in found:
                yield each

    async def acknowledge(self, messages: Iterable[Held]) -> None:
        """Be done with messages for ever."""
        for ack_ids in _chunks([each.ack_id for each in messages]):
            with _explained(self.subscription):
                await self._client.acknowledge(subscription=self.subscription, ack_ids=ack_ids)
            for ack_id in ack_ids:
                self._held.pop(ack_id, None)

    async def release(self) -> None:
        """Give back what is still held."""
        await self._modify(0)
        self._held.clear()

    async def keep(self) -> None:
        """Renew the leases, for as long as this runs."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            await self._modify(_LEASE_SECONDS)

    async def _pull(self, most: int) -> list[Held]:
        request = PullRequest(
            # The service's advice against it is for those who pull for ever: whoever wants to know
            # what is there, and not to wait for more, has no other way.
            subscription=self.subscription,
            max_messages=most,
            return_immediately=True,
        )
        routing = (("x-goog-request-params", f"subscription={self.subscription}"),)
        # Not the client's own method, which warns of that field on every call.
        call: Any = self._client.transport.pull
        try:
            reply = await call(request, timeout=_PULL_SECONDS, metadata=routing)
        except AioRpcError as error:
            raise from_grpc_error(error) from error
        return [_held(each) for each in reply.received_messages]

    async def _modify(self, seconds: int) -> None:
        for ack_ids in _chunks(list(self._held)):
            with _explained(self.subscription):
                await self._client.modify_ack_deadline(
                    subscription=self.subscription,
                    ack_ids=ack_ids,
                    ack_deadline_seconds=seconds,
                )


@contextlib.asynccontextmanager
async def holding(
    client: SubscriberAsyncClient, subscription: str, *, patience: int = _PATIENCE
) -> AsyncIterator[Holding]:
    """Hold messages of a subscription while the block lasts.

    However it ends, what has not been acknowledged is given back.
    """
    held = Holding(client, subscription, patience=patience)
    keeper = asyncio.create_task(held.keep())
    try:
        yield held
    finally:
        keeper.cancel()
        [ended] = await asyncio.gather(keeper, return_exceptions=True)
        await held.release()
        if isinstance(ended, HooksError):
            raise ended


def patience(emulator: str) -> int:
    """Return how many empty answers mean that there are no more: an emulator holds none back."""
    return 1 if emulator else _PATIENCE


@contextlib.contextmanager
def _explained(subscription: str) -> Any:
    try:
        with credentials_explained():
            yield
    except GoogleAPICallError as error:
        raise HooksError(f"Pub/Sub refused at {subscription}: {error.message}") from error


def _held(received: Any) -> Held:
    message = received.message
    return Held(
        ack_id=received.ack_id,
        message_id=message.message_id,
        data=message.data,
        attributes=dict(message.attributes),
        published=message.publish_time,
    )


def _chunks(ack_ids: Sequence[str]) -> Iterable[list[str]]:
    rest = iter(ack_ids)
    while chunk := list(islice(rest, _MOST_ACK_IDS)):
        yield chunk
