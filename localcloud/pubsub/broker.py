"""The topics and subscriptions of every project, and how messages pass between them."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from localcloud.core.clock import Clock
from localcloud.core.rpc import RpcError
from localcloud.pubsub.backlog import Backlog
from localcloud.pubsub.delivery_policy import DeliveryPolicy, read_policy
from localcloud.pubsub.errors import not_found
from localcloud.pubsub.messages import Message, Stamps
from localcloud.pubsub.push import IdentityToken, Pusher
from localcloud.pubsub.sender import Sender
from localcloud.pubsub.snapshot import Snapshot
from localcloud.pubsub.subscription import Subscription
from localcloud.pubsub.timers import Timers
from localcloud.pubsub.topic import Topic

Permit = Callable[[str, str, str], bool]
"""Returns whether Pub/Sub's service agent of a project has a permission.

Takes the project's id, a permission (`pubsub.topics.publish`, `pubsub.subscriptions.consume`) and
the full name of the topic or subscription.
"""


class Broker:
    """Publishes, retains, delivers and dead-letters messages."""

    def __init__(
        self, clock: Clock, *, identity_token: IdentityToken, sender: Sender, permit: Permit
    ) -> None:
        self.clock = clock
        self.timers = Timers(clock)
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self._stamps = Stamps(clock)
        self._identity_token = identity_token
        self._sender = sender
        self._permit = permit

    def topic(self, name: str) -> Topic:
        """Return the topic of that full name; raises `RpcError` (`NOT_FOUND`)."""
        if name not in self.topics:
            raise not_found(name)
        return self.topics[name]

    def subscription(self, name: str) -> Subscription:
        """Return the subscription of that full name; raises `RpcError` (`NOT_FOUND`)."""
        if name not in self.subscriptions:
            raise not_found(name)
        return self.subscriptions[name]

    def snapshot(self, name: str) -> Snapshot:
        """Return the snapshot of that full name; raises `RpcError` (`NOT_FOUND`)."""
        if name not in self.snapshots:
            raise not_found(name)
        return self.snapshots[name]

    def publish(
        self, topic: Topic, data: bytes, attributes: Mapping[str, str], ordering_key: str
    ) -> Message:
        """Publish a message, whatever its size, and return it as stored."""
        message = self._stamps.stamp(data, dict(attributes), ordering_key)
        topic.add(message)
        return message

    async def subscribe(self, proto: Any) -> Subscription:
        """Add the subscription that a complete, valid `Subscription` describes, and deliver."""
        subscription = self.add(proto)
        await subscription.deliver()
        return subscription

    def add(self, proto: Any) -> Subscription:
        """Add a subscription that is not pushed to before its `deliver` is called."""
        backlog = Backlog(
            self.clock,
            self.timers,
            self._policy(proto),
            lambda message, failures: self._forward(subscription, message, failures),
        )
        subscription = Subscription(proto, backlog, self._pusher)
        self.subscriptions[proto.name] = subscription
        # The topic may have been deleted before a snapshot was taken.
        if topic := self.topics.get(proto.topic):
            topic.subscriptions[proto.name] = subscription
        return subscription

    def continue_after(self, number: int) -> None:
        """Assign only message ids above that number from now on."""
        self._stamps.continue_after(number)

    async def adopt(self, subscription: Subscription, proto: Any) -> None:
        """Apply a changed description to a subscription."""
        subscription.proto = proto
        self.refresh(subscription)
        await subscription.deliver()

    def refresh(self, subscription: Subscription) -> None:
        """Read the policy of a subscription again, after it or its topic has changed."""
        subscription.backlog.policy = self._policy(subscription.proto)

    async def close(self) -> None:
        """Stop every delivery and timer."""
        gone = RpcError(grpc.StatusCode.UNAVAILABLE, "The service is shutting down.")
        for subscription in self.subscriptions.values():
            await subscription.close(gone)
        await self.timers.close()

    def _policy(self, proto: Any) -> DeliveryPolicy:
        topic = self.topics.get(proto.topic)
        return read_policy(proto, topic.retention if topic is not None else 0.0)

    def _pusher(self, subscription: Subscription) -> Pusher:
        return Pusher(
            subscription.backlog, lambda: subscription.proto, self._identity_token, self._sender
        )

    def _forward(self, subscription: Subscription, message: Message, failures: int) -> bool:
        name = subscription.proto.dead_letter_policy.dead_letter_topic
        topic = self.topics.get(name)
        if (
            topic is None
            or not self._permit(subscription.project, "pubsub.topics.publish", name)
            or not self._permit(
                subscription.project, "pubsub.subscriptions.consume", subscription.name
            )
        ):
            return False
        attributes = {**message.proto.attributes, **_source(subscription, message, failures)}
        self.publish(topic, message.proto.data, attributes, message.proto.ordering_key)
        return True


def _source(subscription: Subscription, message: Message, failures: int) -> dict[str, str]:
    """Return what https://cloud.google.com/pubsub/docs/handling-failures says is added."""
    published = message.publish_time
    return {
        "CloudPubSubDeadLetterSourceDeliveryCount": str(failures),
        "CloudPubSubDeadLetterSourceSubscription": subscription.name.rpartition("/")[2],
        "CloudPubSubDeadLetterSourceSubscriptionProject": subscription.project,
        "CloudPubSubDeadLetterSourceTopicPublishTime": published.isoformat(timespec="milliseconds"),
    }
