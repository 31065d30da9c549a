"""The topics and subscriptions of a Pub/Sub as a JSON document, and back.

Messages appear once, however many subscriptions have them. Leases are not kept: what was leased is
delivered again, as after the end of its deadline.
"""

from typing import Any

from google.pubsub_v1 import types

from localcloud.core.packed import packed, unpacked
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.messages import Message, PubsubMessage
from localcloud.pubsub.snapshot import Snapshot
from localcloud.pubsub.subscription import Subscription
from localcloud.pubsub.topic import Topic

_Topic = types.Topic.pb()
_Subscription = types.Subscription.pb()
_Snapshot = types.Snapshot.pb()


def mark(broker: Broker) -> object:
    """Return what differs after any change that `dump` shows."""
    topics = ((each.proto.SerializeToString(), each.published) for each in broker.topics.values())
    subscriptions = (
        (each.proto.SerializeToString(), each.backlog.mark)
        for each in broker.subscriptions.values()
    )
    return tuple(topics), tuple(subscriptions), tuple(broker.snapshots)


def dump(broker: Broker) -> dict[str, Any]:
    """Return the topics, the subscriptions, the snapshots, and the messages that they hold."""
    messages: dict[int, Message] = {}
    topics = [_topic(topic, broker.clock.time(), messages) for topic in broker.topics.values()]
    subscriptions = [_subscription(each, messages) for each in broker.subscriptions.values()]
    return {
        "topics": topics,
        "subscriptions": subscriptions,
        "snapshots": [_snapshot(each, messages) for each in broker.snapshots.values()],
        "messages": [packed(message.proto) for message in messages.values()],
    }


def restore(broker: Broker, dumped: Any) -> None:
    """Add what `dump` returned to an empty broker; nothing is pushed until `deliver` is called."""
    stored = (Message.of(PubsubMessage.FromString(unpacked(text))) for text in dumped["messages"])
    messages = {message.number: message for message in stored}
    broker.continue_after(max(messages, default=0))
    for each in dumped["topics"]:
        topic = Topic(_Topic.FromString(unpacked(each["topic"])))
        topic.retain(messages[number] for number in each["retained"])
        broker.topics[topic.proto.name] = topic
    for each in dumped["subscriptions"]:
        subscription = broker.add(_Subscription.FromString(unpacked(each["subscription"])))
        held = ((messages[number], *rest) for number, *rest in each["messages"])
        subscription.backlog.continue_with(held, each["discard_before"])

    for each in dumped["snapshots"]:
        proto = _Snapshot.FromString(unpacked(each["snapshot"]))
        unacknowledged = tuple(messages[number] for number in each["messages"])
        broker.snapshots[proto.name] = Snapshot(proto, unacknowledged, each["newest"])


def _snapshot(snapshot: Snapshot, messages: dict[int, Message]) -> dict[str, Any]:
    messages.update((message.number, message) for message in snapshot.unacknowledged)
    return {
        "snapshot": packed(snapshot.proto),
        "newest": snapshot.newest,
        "messages": [message.number for message in snapshot.unacknowledged],
    }


def _topic(topic: Topic, now: float, messages: dict[int, Message]) -> dict[str, Any]:
    retained = {message.number: message for message in topic.retained(now)}
    messages.update(retained)
    return {"topic": packed(topic.proto), "retained": list(retained)}


def _subscription(subscription: Subscription, messages: dict[int, Message]) -> dict[str, Any]:
    held = list(subscription.backlog.held())
    messages.update((message.number, message) for message, _, _ in held)
    return {
        "subscription": packed(subscription.proto),
        "discard_before": subscription.backlog.discard_before,
        "messages": [(message.number, *rest) for message, *rest in held],
    }
