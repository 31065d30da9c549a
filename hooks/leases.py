"""Reading a subscription's messages without consuming them: each is leased, and given back.

A leased message counts as no delivery attempt of anybody. At the end its acknowledgement deadline
is set to 0 seconds, which gives it back: https://cloud.google.com/pubsub/docs/lease-management. If
this process is killed, the leases expire within a minute.
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
class LeasedMessage:
    """A message that is leased to us, by its `ack_id`; `published` is in UTC."""

    ack_id: str
    message_id: str
    data: bytes
    attributes: dict[str, str]
    published: datetime


class Leases:
    """The messages of one subscription that are leased to us.

    `patience` is how many empty answers in a row mean that there are no more. The methods raise
    `HooksError` if Pub/Sub refuses.
    """

    def __init__(self, client: SubscriberAsyncClient, subscription: str, *, patience: int) -> None:
        self._client = client
        self.patience = patience
        self._ack_ids: dict[str, None] = {}
        self.subscription = subscription

    async def pull(self, most: int) -> list[LeasedMessage]:
        """Lease up to `most` more messages and return them; none means that there are no more."""
        for attempt in range(self.patience):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS)
            with _explained(self.subscription):
                found = await self._pull(min(most, _MOST_MESSAGES))
            if found:
                self._ack_ids.update(dict.fromkeys(each.ack_id for each in found))
                return found
        return []

    async def messages(self, *, most: int | None = None) -> AsyncIterator[LeasedMessage]:
        """Iterate over the messages, up to `most` of them, until there are no more."""
        left = most if most is not None else 1 << 62
        while left > 0 and (found := await self.pull(left)):
            left -= len(found)
            for each in found:
                yield each

    async def acknowledge(self, messages: Iterable[LeasedMessage]) -> None:
        """Acknowledge messages: the subscription never delivers them again."""
        for ack_ids in _chunks([each.ack_id for each in messages]):
            with _explained(self.subscription):
                await self._client.acknowledge(subscription=self.subscription, ack_ids=ack_ids)
            for ack_id in ack_ids:
                self._ack_ids.pop(ack_id, None)

    async def release(self) -> None:
        """Give back every message that is still leased."""
        await self._modify(0)
        self._ack_ids.clear()

    async def renew(self) -> None:
        """Renew the leases until cancelled."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            await self._modify(_LEASE_SECONDS)

    async def _pull(self, most: int) -> list[LeasedMessage]:
        request = PullRequest(
            # Deprecated for consumers that pull for ever. This reader must learn that the
            # subscription is empty, and no other field tells that.
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
        return [_leased(each) for each in reply.received_messages]

    async def _modify(self, seconds: int) -> None:
        for ack_ids in _chunks(list(self._ack_ids)):
            with _explained(self.subscription):
                await self._client.modify_ack_deadline(
                    subscription=self.subscription,
                    ack_ids=ack_ids,
                    ack_deadline_seconds=seconds,
                )


@contextlib.asynccontextmanager
async def lease_messages(
    client: SubscriberAsyncClient, subscription: str, *, patience: int = _PATIENCE
) -> AsyncIterator[Leases]:
    """Give the leases of a subscription while the block lasts, renewed in the background.

    At the end, also after an error, every message that is not acknowledged is given back.
    """
    leases = Leases(client, subscription, patience=patience)
    renewal = asyncio.create_task(leases.renew())
    try:
        yield leases
    finally:
        renewal.cancel()
        [ended] = await asyncio.gather(renewal, return_exceptions=True)
        await leases.release()
        if isinstance(ended, HooksError):
            raise ended


def patience(emulator: str) -> int:
    """Return how many empty answers mean that there are no more: 1 for an emulator."""
    return 1 if emulator else _PATIENCE


@contextlib.contextmanager
def _explained(subscription: str) -> Any:
    try:
        with credentials_explained():
            yield
    except GoogleAPICallError as error:
        raise HooksError(f"Pub/Sub refused at {subscription}: {error.message}") from error


def _leased(received: Any) -> LeasedMessage:
    message = received.message
    return LeasedMessage(
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
