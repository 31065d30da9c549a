"""The service google.pubsub.v1.Subscriber."""

from typing import Any

from google.pubsub_v1 import types

from localcloud.core.rpc import Method, Service
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.errors import already_exists, invalid, not_found
from localcloud.pubsub.masks import merge
from localcloud.pubsub.paging import page
from localcloud.pubsub.protos import Empty, refused
from localcloud.pubsub.pull import Puller
from localcloud.pubsub.snapshot import LIFETIME_SECONDS, Snapshot
from localcloud.pubsub.subscription import Subscription, fill_defaults
from localcloud.pubsub.validation import MAX_ACK_DEADLINE_SECONDS, check_name, check_subscription

_Subscription = types.Subscription.pb()
_FIXED = frozenset(
    {
        "name",
        "topic",
        "filter",
        "enable_message_ordering",
        "state",
        "tags",
        "topic_message_retention_duration",
        "analytics_hub_subscription_info",
    }
)


class SubscriberService:
    """The methods of the Subscriber; each takes and returns raw protobuf messages.

    Every method raises `RpcError` as the service does.
    """

    def __init__(self, broker: Broker, puller: Puller) -> None:
        self._broker = broker
        self._puller = puller

    async def create_subscription(self, request: Any) -> Any:
        """Create a subscription, which gets what is published from now on."""
        proto = _copy(request)
        fill_defaults(proto)
        check_subscription(proto)
        self._check_topics(proto)
        if proto.name in self._broker.subscriptions:
            raise already_exists(proto.name)
        return self._describe(await self._broker.subscribe(proto))

    async def get_subscription(self, request: Any) -> Any:
        """Return a subscription."""
        return self._describe(self._broker.subscription(request.subscription))

    async def update_subscription(self, request: Any) -> Any:
        """Change the fields of a subscription that the mask names."""
        subscription = self._broker.subscription(request.subscription.name)
        proto = merge(
            subscription.proto,
            request.subscription,
            request.update_mask,
            fixed=_FIXED,
            request="UpdateSubscriptionRequest",
        )
        return await self._change(subscription, proto)

    async def list_subscriptions(self, request: Any) -> Any:
        """Return a project's subscriptions, in pages, in the order of their names."""
        prefix = f"{request.project}/subscriptions/"
        found = (name for name in self._broker.subscriptions if name.startswith(prefix))
        names, token = page(found, request.page_size, request.page_token)
        described = [self._describe(self._broker.subscriptions[name]) for name in names]
        return types.ListSubscriptionsResponse.pb()(subscriptions=described, next_page_token=token)

    async def delete_subscription(self, request: Any) -> Any:
        """Delete a subscription and what it has."""
        subscription = self._broker.subscription(request.subscription)
        del self._broker.subscriptions[subscription.name]
        topic = self._broker.topics.get(subscription.proto.topic)
        if topic is not None:
            topic.subscriptions.pop(subscription.name, None)
        await subscription.close(not_found(subscription.name))
        return Empty()

    async def acknowledge(self, request: Any) -> Any:
        """Acknowledge messages; ids of leases that are over change nothing."""
        subscription = self._broker.subscription(request.subscription)
        if not request.ack_ids:
            raise invalid("An AcknowledgeRequest needs at least one ack_id.")
        subscription.backlog.acknowledge(request.ack_ids)
        return Empty()

    async def modify_ack_deadline(self, request: Any) -> Any:
        """Extend leases, or with 0 seconds give their messages back."""
        subscription = self._broker.subscription(request.subscription)
        seconds = request.ack_deadline_seconds
        if not request.ack_ids:
            raise invalid("A ModifyAckDeadlineRequest needs at least one ack_id.")
        if not 0 <= seconds <= MAX_ACK_DEADLINE_SECONDS:
            raise invalid(
                f"Invalid ack deadline given: {seconds}. It must be between 0 and "
                f"{MAX_ACK_DEADLINE_SECONDS} seconds."
            )
        subscription.backlog.modify(request.ack_ids, seconds)
        return Empty()

    async def create_snapshot(self, request: Any) -> Any:
        """Record what a subscription has not acknowledged."""
        subscription = self._broker.subscription(request.subscription)
        topic = self._broker.topic(subscription.proto.topic)
        check_name(request.name, "snapshots")
        if request.name in self._broker.snapshots:
            raise already_exists(request.name)
        proto = types.Snapshot.pb()(name=request.name, topic=topic.proto.name)
        proto.labels.update(request.labels)
        proto.expire_time.FromSeconds(int(self._broker.clock.time()) + LIFETIME_SECONDS)
        self._broker.snapshots[request.name] = Snapshot.take(proto, subscription, topic)
        return proto

    async def delete_snapshot(self, request: Any) -> Any:
        """Delete a snapshot."""
        self._broker.snapshot(request.snapshot)
        del self._broker.snapshots[request.snapshot]
        return Empty()

    async def seek(self, request: Any) -> Any:
        """Go back or forth to a time, or to a snapshot of the same topic."""
        subscription = self._broker.subscription(request.subscription)
        topic = self._broker.topics.get(subscription.proto.topic)
        target = request.WhichOneof("target")
        if target == "snapshot":
            snapshot = self._broker.snapshot(request.snapshot)
            if topic is None or snapshot.proto.topic != topic.proto.name:
                raise invalid("The snapshot and the subscription must be of the same topic.")
            messages = snapshot.messages(topic, self._broker.clock.time())
            subscription.backlog.restore(messages)
            return types.SeekResponse.pb()()
        if target is None:
            raise invalid("A SeekRequest needs a time or a snapshot.")
        retained = topic.retained(self._broker.clock.time()) if topic is not None else ()
        # Of whole numbers: no float holds the nanoseconds, and a message could be older than it is.
        subscription.backlog.seek(request.time.ToNanoseconds() / 10**9, retained)
        return types.SeekResponse.pb()()

    def methods(self) -> Service:
        """Return the service as a table of methods."""

        def method(request: Any, reply: Any, handler: Any) -> Method:
            return Method("unary_unary", request, reply, handler)

        return {
            "CreateSubscription": method(_Subscription, _Subscription, self.create_subscription),
            "GetSubscription": method(
                types.GetSubscriptionRequest.pb(), _Subscription, self.get_subscription
            ),
            "UpdateSubscription": method(
                types.UpdateSubscriptionRequest.pb(), _Subscription, self.update_subscription
            ),
            "ListSubscriptions": method(
                types.ListSubscriptionsRequest.pb(),
                types.ListSubscriptionsResponse.pb(),
                self.list_subscriptions,
            ),
            "DeleteSubscription": method(
                types.DeleteSubscriptionRequest.pb(), Empty, self.delete_subscription
            ),
            "ModifyAckDeadline": method(
                types.ModifyAckDeadlineRequest.pb(), Empty, self.modify_ack_deadline
            ),
            "Acknowledge": method(types.AcknowledgeRequest.pb(), Empty, self.acknowledge),
            "Pull": method(types.PullRequest.pb(), types.PullResponse.pb(), self._puller.pull),
            "StreamingPull": Method(
                "stream_stream",
                types.StreamingPullRequest.pb(),
                types.StreamingPullResponse.pb(),
                self._puller.streaming_pull,
            ),
            "CreateSnapshot": method(
                types.CreateSnapshotRequest.pb(), types.Snapshot.pb(), self.create_snapshot
            ),
            "DeleteSnapshot": method(types.DeleteSnapshotRequest.pb(), Empty, self.delete_snapshot),
            "Seek": method(types.SeekRequest.pb(), types.SeekResponse.pb(), self.seek),
            **refused(
                {
                    "ModifyPushConfig": types.ModifyPushConfigRequest,
                    "GetSnapshot": types.GetSnapshotRequest,
                    "ListSnapshots": types.ListSnapshotsRequest,
                    "UpdateSnapshot": types.UpdateSnapshotRequest,
                }
            ),
        }

    async def _change(self, subscription: Subscription, proto: Any) -> Any:
        fill_defaults(proto)
        check_subscription(proto)
        self._check_dead_letter_topic(proto)
        await self._broker.adopt(subscription, proto)
        return self._describe(subscription)

    def _check_topics(self, proto: Any) -> None:
        self._broker.topic(proto.topic)
        self._check_dead_letter_topic(proto)

    def _check_dead_letter_topic(self, proto: Any) -> None:
        if proto.HasField("dead_letter_policy"):
            self._broker.topic(proto.dead_letter_policy.dead_letter_topic)

    def _describe(self, subscription: Subscription) -> Any:
        described = _copy(subscription.proto)
        topic = self._broker.topics.get(described.topic)
        if topic is not None and topic.retention:
            described.topic_message_retention_duration.CopyFrom(
                topic.proto.message_retention_duration
            )
        return described


def _copy(proto: Any) -> Any:
    copied = _Subscription()
    copied.CopyFrom(proto)
    return copied
