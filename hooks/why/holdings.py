"""What the subscriptions have not acknowledged, learnt without taking a message from any.

A snapshot records what a subscription has not acknowledged, and a temporary subscription that is
sought to it gets those messages: nobody's delivery attempts are counted, and push subscriptions can
be looked at too. https://cloud.google.com/pubsub/docs/replay-overview#seek_to_a_snapshot
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.pubsub_v1 import SubscriberAsyncClient, Subscription
from google.pubsub_v1.types import ExpirationPolicy, SeekRequest

from hooks import connections
from hooks.deployment import Deployment
from hooks.errors import HooksError
from hooks.leases import LeasedMessage, lease_messages, patience
from hooks.why.facts import Holding

_OURS = "hooks-"
_MOST_COUNTED = 1000
_MOST_SUBSCRIPTIONS = 50
_AT_A_TIME = 4
_EXPIRES = timedelta(days=1)


async def holdings(
    deployment: Deployment, routes: Iterable[str], ids: frozenset[str]
) -> list[Holding]:
    """Return the holdings of the subscriptions of ingress, the events topic and these routes.

    `ids` holds the webhook ids of the event; at most 50 subscriptions are looked at. Raises
    `HooksError` if Pub/Sub refuses.
    """
    names = {"events", *routes} & deployment.topics.keys()
    hops = {deployment.topics[name]: "subscriber" for name in sorted(names)}
    hops = {deployment.ingress: "dispatcher"} | hops
    async with connections.subscriber(deployment.pubsub) as client:
        try:
            found = await _subscriptions(client, deployment.project, hops)
        except GoogleAPICallError as error:
            raise HooksError(f"cannot list subscriptions: {error.message}") from error
        slots = asyncio.Semaphore(_AT_A_TIME)

        async def look(subscription: Subscription) -> Holding:
            async with slots:
                return await _holding(client, deployment, hops, subscription, ids)

        return list(await asyncio.gather(*map(look, found[:_MOST_SUBSCRIPTIONS])))


async def _subscriptions(
    client: SubscriberAsyncClient, project: str, topics: Mapping[str, str]
) -> list[Subscription]:
    pager = await client.list_subscriptions(project=f"projects/{project}")
    found = [each async for each in pager if each.topic in topics]
    # Those of commands such as this one are nobody's.
    theirs = [each for each in found if not each.name.rpartition("/")[2].startswith(_OURS)]
    order = list(topics)
    return sorted(theirs, key=lambda each: (order.index(each.topic), each.name))


async def _holding(
    client: SubscriberAsyncClient,
    deployment: Deployment,
    hops: Mapping[str, str],
    subscription: Subscription,
    ids: frozenset[str],
) -> Holding:
    try:
        async with _copied(client, subscription) as copy:
            empty_answers = patience(deployment.pubsub)
            async with lease_messages(client, copy, patience=empty_answers) as leases:
                messages = [each async for each in leases.messages(most=_MOST_COUNTED)]
    except GoogleAPICallError as error:
        raise HooksError(f"cannot look into {subscription.name}: {error.message}") from error
    return Holding(
        hop=hops[subscription.topic],
        subscription=subscription.name,
        endpoint=subscription.push_config.push_endpoint,
        waiting=len(messages),
        more=len(messages) == _MOST_COUNTED,
        holds=any(_event(each) in ids for each in messages),
    )


@contextlib.asynccontextmanager
async def _copied(client: SubscriberAsyncClient, original: Subscription) -> AsyncIterator[str]:
    """Give a temporary subscription that holds what `original` has not acknowledged."""
    project = original.name.split("/")[1]
    name = f"{_OURS}why-{secrets.token_hex(6)}"
    snapshot = f"projects/{project}/snapshots/{name}"
    copy = f"projects/{project}/subscriptions/{name}"
    wanted = Subscription(
        name=copy, topic=original.topic, expiration_policy=ExpirationPolicy(ttl=_EXPIRES)
    )
    try:
        await client.create_snapshot(name=snapshot, subscription=original.name)
        await client.create_subscription(wanted)
        await client.seek(SeekRequest(subscription=copy, snapshot=snapshot))
        yield copy
    finally:
        with contextlib.suppress(NotFound):
            await client.delete_subscription(subscription=copy)
        with contextlib.suppress(NotFound):
            await client.delete_snapshot(snapshot=snapshot)


def _event(message: LeasedMessage) -> str:
    given = message.attributes
    return given.get("ce-id") or given.get("webhook-id", "")
