"""A topic for one subscriber alone.

Nothing can be published to one subscription. So its like is made, on a topic of its own, which is
deleted once everything is published: the subscription keeps what it has, delivers it, and expires a
day after. https://cloud.google.com/pubsub/docs/delete-topic
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient, Subscription, Topic
from google.pubsub_v1.types import ExpirationPolicy

from hooks import connections
from hooks.connections import credentials_explained
from hooks.deployment import Deployment
from hooks.errors import HooksError
from localcloud.core import clients
from relay.dispatcher.event import Event
from relay.errors import PublishRefused, PublishUnavailable
from relay.gcp.publisher import Publisher

_EXPIRES = timedelta(days=1)
_PUBLISH_SECONDS = 30.0


class OwnTopic:
    """A topic, and the subscription that delivers its messages as `like` delivers its own.

    Both are made by the first event that is published. `subscription` is empty until then.
    """

    def __init__(
        self,
        name: str,
        like: Subscription,
        subscriber: SubscriberAsyncClient,
        admin: PublisherAsyncClient,
        publisher: Publisher,
    ) -> None:
        self.subscription = ""
        self._topic = name.replace("/subscriptions/", "/topics/")
        self._name = name
        self._like = like
        self._subscriber = subscriber
        self._admin = admin
        self._publisher = publisher
        self._making = asyncio.Lock()

    async def publish(self, event: Event) -> None:
        """Publish an event; raises `HooksError` if Pub/Sub does not take it."""
        async with self._making:
            if not self.subscription:
                await self._make()
        try:
            await self._publisher.publish(
                self._topic, event.data, event.attributes, timeout=_PUBLISH_SECONDS
            )
        except PublishRefused as refused:
            raise HooksError(f"Pub/Sub refused {event.id}: {refused.detail}") from refused
        except PublishUnavailable as failure:
            raise HooksError(f"Pub/Sub did not take {event.id}: {failure.reason}") from failure

    async def release(self) -> None:
        """Delete the topic; the subscription stays until it has delivered."""
        if self.subscription:
            with explained(self._topic):
                await self._admin.delete_topic(topic=self._topic)

    async def discard(self) -> None:
        """Delete both, as far as they exist and that succeeds."""
        await asyncio.gather(
            self._subscriber.delete_subscription(subscription=self._name),
            self._admin.delete_topic(topic=self._topic),
            return_exceptions=True,
        )

    async def _make(self) -> None:
        wanted = Subscription(self._like)
        wanted.name, wanted.topic = self._name, self._topic
        wanted.expiration_policy = ExpirationPolicy(ttl=_EXPIRES)
        with explained(self._topic):
            await self._admin.create_topic(Topic(name=self._topic))
            await self._subscriber.create_subscription(wanted)
        self.subscription = self._name


@contextlib.asynccontextmanager
async def alone(
    deployment: Deployment, subscriber: SubscriberAsyncClient, like: Subscription, name: str
) -> AsyncIterator[OwnTopic]:
    """Give a topic whose subscription, of that short name, delivers as `like` does.

    After an error nothing of it is left, though some events may have been delivered.
    """
    full = f"projects/{deployment.project}/subscriptions/{name}"
    async with (
        clients.publisher(deployment.pubsub) as admin,
        connections.publisher(deployment) as publisher,
    ):
        topic = OwnTopic(full, like, subscriber, admin, publisher)
        try:
            yield topic
        except BaseException:
            if topic.subscription:
                await topic.discard()
            raise
        await topic.release()


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn a refusal of Pub/Sub into a `HooksError` that names what it was about."""
    try:
        with credentials_explained():
            yield
    except GoogleAPICallError as error:
        raise HooksError(f"Pub/Sub refused at {what}: {error.message}") from error
