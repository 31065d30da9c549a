"""What the ingress topic has retained, read by way of a subscription of its own.

The ledger stores no payload, so this is where events come from when they are wanted again. A new
subscription is taken back in time by a seek, which leaves every other subscription alone:
https://cloud.google.com/pubsub/docs/replay-overview.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.pubsub_v1 import Subscription
from google.pubsub_v1.types import ExpirationPolicy, SeekRequest

from hooks.connections import credentials_explained
from hooks.deployment import Deployment
from hooks.dlq.deadletters import body_type
from hooks.dlq.holding import Held, Holding, holding
from hooks.errors import HooksError, UsageError
from localcloud.core import clients
from relay.dispatcher.event import parse_time

# Should nobody come back for it, Pub/Sub forgets the subscription after its shortest time.
_FORGOTTEN = timedelta(days=1)
_ACK_SECONDS = 60
_MAX_FILTER_BYTES = 256
# A delivery is stored within seconds of its arrival; clocks may differ by a minute.
_MARGIN = timedelta(minutes=2)
# After a seek the service takes a while until it gives what it has.
_PATIENCE = 15


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which events are meant: those that satisfy all that is said.

    `ids` holds webhook ids, `type` is a glob, and the times, in UTC, are those of arrival; `until`
    is not included.
    """

    ids: frozenset[str] = frozenset()
    type: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, message: Held) -> bool:
        """Tell whether an ingress message is meant; repeats made by a replay never are."""
        if "replay" in message.attributes:
            return False
        arrived = received(message)
        return (
            (not self.ids or message.attributes.get("webhook-id") in self.ids)
            and (not self.since or arrived >= self.since)
            and (not self.until or arrived < self.until)
            and (not self.type or fnmatchcase(body_type(message.data), self.type))
        )


def received(message: Held) -> datetime:
    """Return when the receiver took a message's delivery in, in UTC."""
    return parse_time(message.attributes.get("received-at")) or message.published


async def retention(deployment: Deployment) -> timedelta:
    """Return how long the ingress topic keeps its messages.

    Raises `UsageError` where it keeps none, and `HooksError` where Pub/Sub refuses.
    """
    with credentials_explained():
        async with clients.publisher(deployment.pubsub) as client:
            try:
                topic = await client.get_topic(topic=deployment.ingress)
            except GoogleAPICallError as error:
                raise HooksError(f"cannot look at {deployment.ingress}: {error.message}") from error
    kept: timedelta = topic.message_retention_duration or timedelta(0)
    if not kept:
        raise UsageError(
            f"{deployment.ingress} retains no messages, so there is nothing to read payloads from"
            " or to replay; set topic_retention.ingress in Terraform"
        )
    return kept


def earliest(now: datetime, kept: timedelta, since: datetime | None) -> datetime:
    """Return the time to seek to for events since then, or for all that there are."""
    horizon = now - kept
    return max(horizon, since - _MARGIN) if since else horizon


def message_filter(ids: Iterable[str]) -> str:
    """Return the filter with which Pub/Sub gives the originals, and only these if they are few."""
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
) -> AsyncIterator[Holding]:
    """Hold what the ingress topic has retained since `start`; see `holding`.

    `subscription` (its full name) is made if it is not there; if it is, it goes on where it was
    left. It stays: `delete` it when its work is done. Raises `HooksError` where Pub/Sub refuses.
    """
    wanted = Subscription(
        name=subscription,
        topic=deployment.ingress,
        filter=message_filter(frozenset(ids)),
        ack_deadline_seconds=_ACK_SECONDS,
        expiration_policy=ExpirationPolicy(ttl=_FORGOTTEN),
    )
    with credentials_explained():
        opened = clients.subscriber(deployment.pubsub)
    async with opened as client:
        try:
            await client.get_subscription(subscription=subscription)
        except NotFound:
            with _explained(f"subscribe to {deployment.ingress}"):
                await client.create_subscription(wanted)
                await client.seek(SeekRequest(subscription=subscription, time=start))
        except GoogleAPICallError as error:
            raise HooksError(f"cannot look at {subscription}: {error.message}") from error
        patience = 1 if deployment.pubsub else _PATIENCE
        async with holding(client, subscription, patience=patience) as held:
            yield held


async def delete(deployment: Deployment, subscription: str) -> None:
    """Delete a subscription that `reading` made, if it is there."""
    async with clients.subscriber(deployment.pubsub) as client:
        with contextlib.suppress(NotFound), _explained(f"delete {subscription}"):
            await client.delete_subscription(subscription=subscription)


async def payloads(
    deployment: Deployment, subscription: str, start: datetime, ids: Iterable[str]
) -> Mapping[str, bytes]:
    """Return the payloads of events by their ids, as far as they are retained."""
    missing, found = set(ids), dict[str, bytes]()
    if not missing:
        return found
    try:
        async with reading(deployment, subscription, start, missing) as held:
            async for message in held.messages():
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
