"""The messages that the ingress topic retains, read through a temporary subscription.

The ledger stores no payload, so replays and payloads come from here. A new subscription is sought
back in time, which affects no other: https://cloud.google.com/pubsub/docs/replay-overview.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.pubsub_v1 import Subscription
from google.pubsub_v1.types import ExpirationPolicy, SeekRequest

from hooks import connections
from hooks.bodies import body_type
from hooks.deployment import Deployment
from hooks.errors import HooksError, UsageError
from hooks.leases import LeasedMessage, Leases, lease_messages
from localcloud.core import clients
from relay.ingress import parse_time

# Pub/Sub deletes an abandoned subscription after this time, the shortest that it allows.
_EXPIRES = timedelta(days=1)
_ACK_SECONDS = 60
_MAX_FILTER_BYTES = 256
# A delivery is stored within seconds of its arrival; clocks may differ by a minute.
_MARGIN = timedelta(minutes=2)
# After a seek, the service answers with nothing for a while.
_PATIENCE = 15


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Selects the events that match every field that is set.

    `ids` holds webhook ids and `type` is a glob. `since` and `until` bound the time of receipt, in
    UTC; `until` is excluded.
    """

    ids: frozenset[str] = frozenset()
    type: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, message: LeasedMessage) -> bool:
        """Tell whether an ingress message is selected; a replay's messages never are."""
        if "replay" in message.attributes:
            return False
        arrived = received(message)
        return (
            (not self.ids or message.attributes.get("webhook-id") in self.ids)
            and (not self.since or arrived >= self.since)
            and (not self.until or arrived < self.until)
            and (not self.type or fnmatchcase(body_type(message.data), self.type))
        )


def received(message: LeasedMessage) -> datetime:
    """Return when the receiver accepted the delivery, in UTC."""
    return parse_time(message.attributes.get("received-at")) or message.published


async def retention(deployment: Deployment) -> timedelta:
    """Return how long the ingress topic retains its messages.

    Raises `UsageError` if it retains none, and `HooksError` if Pub/Sub refuses.
    """
    lasting = await kept(deployment, deployment.ingress)
    if not lasting:
        raise UsageError(
            f"{deployment.ingress} retains no messages, so that it has no payloads, nothing to"
            " replay and no undispatched events; set topic_retention.ingress in Terraform"
        )
    return lasting


async def kept(deployment: Deployment, topic: str) -> timedelta:
    """Return how long a topic (its full name) retains its messages; raises `HooksError`."""
    with connections.credentials_explained():
        async with clients.publisher(deployment.pubsub) as client:
            try:
                found = await client.get_topic(topic=topic)
            except GoogleAPICallError as error:
                raise HooksError(f"cannot read {topic}: {error.message}") from error
    lasting: timedelta | None = found.message_retention_duration
    return lasting or timedelta(0)


def earliest(now: datetime, kept: timedelta, since: datetime | None) -> datetime:
    """Return the time to seek to for events received since then, or for all that are retained."""
    horizon = now - kept
    return max(horizon, since - _MARGIN) if since else horizon


def message_filter(ids: Iterable[str]) -> str:
    """Return the filter that excludes replays and, if they are few, selects the ids."""
    originals = "NOT attributes:replay"
    quoted = (
        'attributes.webhook-id = "{}"'.format(each.replace("\\", r"\\").replace('"', r"\""))
        for each in sorted(ids)
    )
    named = f"{originals} AND ({' OR '.join(quoted)})"
    return named if ids and len(named.encode()) <= _MAX_FILTER_BYTES else originals


@contextlib.asynccontextmanager
async def reading(
    deployment: Deployment, subscription: str, start: datetime, ids: Iterable[str] = ()
) -> AsyncIterator[Leases]:
    """Lease what the ingress topic has retained since `start`; see `lease_messages`.

    `subscription` (its full name) is created if it does not exist, else it continues where it
    stopped. The caller deletes it with `delete`. Raises `HooksError` if Pub/Sub refuses.
    """
    wanted = Subscription(
        name=subscription,
        topic=deployment.ingress,
        filter=message_filter(frozenset(ids)),
        ack_deadline_seconds=_ACK_SECONDS,
        expiration_policy=ExpirationPolicy(ttl=_EXPIRES),
    )
    async with connections.subscriber(deployment.pubsub) as client:
        try:
            await client.get_subscription(subscription=subscription)
        except NotFound:
            with _explained(f"subscribe to {deployment.ingress}"):
                await client.create_subscription(wanted)
                await client.seek(SeekRequest(subscription=subscription, time=start))
        except GoogleAPICallError as error:
            raise HooksError(f"cannot read {subscription}: {error.message}") from error
        patience = 1 if deployment.pubsub else _PATIENCE
        async with lease_messages(client, subscription, patience=patience) as leases:
            yield leases


async def delete(deployment: Deployment, subscription: str) -> None:
    """Delete a subscription that `reading` created, if it exists."""
    async with connections.subscriber(deployment.pubsub) as client:
        with contextlib.suppress(NotFound), _explained(f"delete {subscription}"):
            await client.delete_subscription(subscription=subscription)


async def payloads(
    deployment: Deployment, subscription: str, start: datetime, ids: Iterable[str]
) -> Mapping[str, bytes]:
    """Return the retained payloads of events by their ids."""
    missing, found = set(ids), dict[str, bytes]()
    if not missing:
        return found
    try:
        async with reading(deployment, subscription, start, missing) as leases:
            async for message in leases.messages():
                identifier = message.attributes.get("webhook-id", "")
                if identifier in missing:
                    found[identifier] = message.data
                    missing.discard(identifier)
                if not missing:
                    break
    finally:
        await delete(deployment, subscription)
    return found


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise
    except GoogleAPICallError as error:
        raise HooksError(f"cannot {what}: {error.message}") from error
