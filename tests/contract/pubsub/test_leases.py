from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.pubsub_v1 import types

from tests.contract.pubsub.space import Space

Requires = Callable[..., None]


def test_every_subscription_gets_every_message(space: Space) -> None:
    topic = space.topic()
    one, other = space.subscription(topic, "one"), space.subscription(topic, "other")
    space.publish(topic, b"both")
    assert space.pull_one(one).message.data == b"both"
    assert space.pull_one(other).message.data == b"both"


def test_a_pull_waits_for_a_message(space: Space) -> None:
    topic = space.topic()
    subscription = space.subscription(topic)
    future = space.publisher.publish(topic, b"soon")
    assert space.pull_one(subscription).message.data == b"soon"
    future.result(10)


def test_an_unacknowledged_message_comes_again_after_its_deadline(
    space: Space, requires: Requires
) -> None:
    requires("redelivery")
    topic = space.topic()
    subscription = space.subscription(topic)
    space.publish(topic, b"again")
    first = space.pull_one(subscription)
    space.modify(subscription, 1, first)
    second = space.pull_one(subscription)
    assert second.message.message_id == first.message.message_id
    assert second.ack_id != first.ack_id


def test_an_acknowledged_message_does_not_come_again(space: Space, requires: Requires) -> None:
    requires("redelivery")
    topic = space.topic()
    subscription = space.subscription(topic)
    space.publish(topic, b"acknowledged")
    space.publish(topic, b"not acknowledged")
    received = {each.message.data: each for each in space.pull(subscription, 2)}
    space.acknowledge(subscription, received[b"acknowledged"])
    space.modify(subscription, 1, *received.values())
    assert space.pull_one(subscription).message.data == b"not acknowledged"
    assert space.settle(topic, subscription) == []


def test_an_extended_deadline_is_kept(space: Space, requires: Requires) -> None:
    requires("redelivery")
    topic = space.topic()
    subscription = space.subscription(topic)
    space.publish(topic, b"extended")
    space.publish(topic, b"not extended")
    received = {each.message.data: each for each in space.pull(subscription, 2)}
    space.modify(subscription, 3, *received.values())
    space.modify(subscription, 600, received[b"extended"])
    assert space.pull_one(subscription).message.data == b"not extended"
    assert space.settle(topic, subscription) == []


def test_a_nacked_message_comes_again_at_once(space: Space, requires: Requires) -> None:
    requires("nack")
    topic = space.topic()
    subscription = space.subscription(topic, ack_deadline_seconds=600)
    space.publish(topic, b"again")
    space.modify(subscription, 0, space.pull_one(subscription))
    assert space.pull_one(subscription).message.data == b"again"


def test_the_retry_policy_holds_a_message_back(space: Space, requires: Requires) -> None:
    requires("retry-policy")
    topic = space.topic()
    policy = {"minimum_backoff": {"seconds": 3}, "maximum_backoff": {"seconds": 600}}
    subscription = space.subscription(topic, retry_policy=policy)
    space.publish(topic, b"failing")
    space.modify(subscription, 0, space.pull_one(subscription))
    assert space.settle(topic, subscription) == []
    assert space.pull_one(subscription).message.data == b"failing"


def test_attempts_are_counted_only_with_a_dead_letter_policy(
    space: Space, requires: Requires
) -> None:
    requires("nack")
    topic = space.topic()
    subscription = space.subscription(topic)
    space.publish(topic)
    space.modify(subscription, 0, space.pull_one(subscription))
    assert space.pull_one(subscription).delivery_attempt == 0


def test_what_fails_too_often_is_forwarded_as_a_dead_letter(
    space: Space, requires: Requires
) -> None:
    requires("dead-letters")
    topic, dead = space.topic(), space.topic("dead")
    mourner = space.subscription(dead, "mourner")
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = space.subscription(topic, dead_letter_policy=policy)
    message_id = space.publish(topic, b"hopeless", k="v")
    attempts = []
    for attempt in range(5):
        received = space.pull_one(subscription)
        attempts.append(received.delivery_attempt)
        space.modify(subscription, attempt % 2, received)
    forwarded = space.pull_one(mourner).message
    attributes = dict(forwarded.attributes)
    published = attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime")
    assert attempts == [1, 2, 3, 4, 5]
    assert forwarded.data == b"hopeless"
    assert forwarded.message_id != message_id
    assert published.endswith("+00:00")
    assert attributes == {
        "k": "v",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "reader",
        "CloudPubSubDeadLetterSourceSubscriptionProject": space.project.removeprefix("projects/"),
    }
    assert space.settle(topic, subscription) == []


def test_a_snapshot_shows_what_a_subscription_has_not_acknowledged(
    space: Space, requires: Requires
) -> None:
    requires("snapshots")
    topic = space.topic(message_retention_duration={"seconds": 600})
    reader = space.subscription(topic)
    for data in (b"acknowledged", b"leased", b"waiting"):
        space.publish(topic, data)
    first, *leased = space.pull(reader, 2)
    space.acknowledge(reader, first)
    name = f"{space.project}/snapshots/s-1"
    space.subscriber.create_snapshot(request={"name": name, "subscription": reader})
    space.publish(topic, b"later")
    copy = space.subscription(topic, "copy")

    space.subscriber.seek(request={"subscription": copy, "snapshot": name})

    held = [first, *leased, *space.pull(reader, 2)]
    copied = {each.message.data for each in space.pull(copy, 3)}
    assert copied == {b"acknowledged", b"leased", b"waiting", b"later"} - {first.message.data}
    # The subscription itself is as it was: it has handed out each message once.
    assert len({each.message.message_id for each in held}) == 4


def test_seeking_back_brings_back_what_was_acknowledged(space: Space, requires: Requires) -> None:
    requires("seek")
    topic = space.topic()
    subscription = space.subscription(topic, retain_acked_messages=True)
    space.publish(topic, b"done")
    received = space.pull_one(subscription)
    space.acknowledge(subscription, received)
    space.subscriber.seek(
        request={"subscription": subscription, "time": received.message.publish_time}
    )
    assert space.pull_one(subscription).message.data == b"done"


def test_a_retained_topic_serves_what_was_published_before(
    space: Space, requires: Requires
) -> None:
    requires("seek")
    topic = space.topic(message_retention_duration={"seconds": 600})
    space.publish(topic, b"before")
    subscription = space.subscription(topic)
    space.subscriber.seek(request={"subscription": subscription, "time": {"seconds": 1}})
    assert space.pull_one(subscription).message.data == b"before"


def test_settings_are_stored_with_their_defaults(space: Space) -> None:
    topic = space.topic()
    subscription = space.subscription(topic)
    got = space.subscriber.get_subscription(subscription=subscription)
    assert got.topic == topic
    assert got.ack_deadline_seconds == 10
    assert got.message_retention_duration.days == 7


def test_an_update_changes_what_its_mask_names(space: Space) -> None:
    topic = space.topic()
    name = space.subscription(topic, labels={"kept": "yes"})
    changed = types.Subscription(name=name, ack_deadline_seconds=77)
    space.subscriber.update_subscription(
        subscription=changed, update_mask={"paths": ["ack_deadline_seconds"]}
    )
    got = space.subscriber.get_subscription(subscription=name)
    assert got.ack_deadline_seconds == 77
    assert dict(got.labels) == {"kept": "yes"}


@pytest.mark.parametrize(
    "fields",
    [
        {"ack_deadline_seconds": 5},
        {"ack_deadline_seconds": 601},
        {"message_retention_duration": {"seconds": 60}},
        {"retry_policy": {"minimum_backoff": {"seconds": 601}}},
        {"retry_policy": {"maximum_backoff": {"seconds": 601}}},
    ],
)
def test_settings_out_of_bounds_are_refused(
    space: Space, requires: Requires, fields: dict[str, Any]
) -> None:
    requires("validation")
    topic = space.topic()
    with pytest.raises(InvalidArgument):
        space.subscription(topic, **fields)
