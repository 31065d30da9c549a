import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from google.api_core.exceptions import NotFound
from google.cloud.pubsub_v1.subscriber.message import Message
from google.cloud.pubsub_v1.types import FlowControl

from tests.contract.pubsub.space import WITHIN_SECONDS, Space

Requires = Callable[..., None]


@contextmanager
def _subscribed(
    space: Space, subscription: str, callback: Callable[[Message], Any], **options: Any
) -> Iterator[Any]:
    future = space.subscriber.subscribe(subscription, callback=callback, **options)
    try:
        yield future
    finally:
        future.cancel()
        future.result(WITHIN_SECONDS)


def test_messages_stream_to_a_callback(space: Space) -> None:
    topic = space.topic()
    subscription = space.subscription(topic)
    got: queue.Queue[bytes] = queue.Queue()

    def callback(message: Message) -> None:
        got.put(message.data)
        message.ack()

    sent = {b"%d" % number for number in range(500)}
    with _subscribed(space, subscription, callback):
        futures = [space.publisher.publish(topic, data) for data in sent]
        received = [got.get(timeout=WITHIN_SECONDS) for _ in sent]
        for future in futures:
            future.result(WITHIN_SECONDS)
    assert sorted(received) == sorted(sent)


def test_what_was_acknowledged_on_the_stream_is_gone(space: Space, requires: Requires) -> None:
    requires("nack")
    topic = space.topic()
    subscription = space.subscription(topic)
    settled: queue.Queue[bytes] = queue.Queue()

    def callback(message: Message) -> None:
        (message.nack if message.data == b"nacked" else message.ack)()
        settled.put(message.data)

    with _subscribed(space, subscription, callback):
        space.publish(topic, b"acknowledged")
        assert settled.get(timeout=WITHIN_SECONDS) == b"acknowledged"
        space.publish(topic, b"nacked")
        # That it comes again shows that the answers before it have reached the emulator.
        assert [settled.get(timeout=WITHIN_SECONDS) for _ in range(2)] == [b"nacked"] * 2
    assert b"acknowledged" not in space.settle(topic, subscription)


def test_flow_control_bounds_what_is_held(space: Space, requires: Requires) -> None:
    requires("stream-flow-control")
    topic = space.topic()
    subscription = space.subscription(topic)
    held: queue.Queue[Message] = queue.Queue()
    with _subscribed(space, subscription, held.put, flow_control=FlowControl(max_messages=2)):
        for number in range(4):
            space.publish(topic, b"%d" % number)
        first, second = (held.get(timeout=WITHIN_SECONDS) for _ in range(2))
        # The stream has as much as it may hold: what is left goes to whoever else asks.
        rest = space.pull(subscription, 2)
        assert len({each.message.message_id for each in rest}) == 2
        assert not {each.message.message_id for each in rest} & {
            first.message_id,
            second.message_id,
        }
        space.modify(subscription, 0, *rest)
        for message in (first, second):
            message.ack()
        for _ in range(2):
            held.get(timeout=WITHIN_SECONDS).ack()


def test_two_streams_share_the_messages(space: Space) -> None:
    topic = space.topic()
    subscription = space.subscription(topic)
    got: queue.Queue[bytes] = queue.Queue()

    def callback(message: Message) -> None:
        got.put(message.data)
        message.ack()

    with (
        _subscribed(space, subscription, callback),
        _subscribed(space, subscription, callback),
    ):
        sent = [b"%d" % number for number in range(50)]
        for data in sent:
            space.publish(topic, data)
        received = [got.get(timeout=WITHIN_SECONDS) for _ in sent]
    assert sorted(received) == sorted(sent)


def test_a_nacked_message_streams_again_and_tells_its_attempt(
    space: Space, requires: Requires
) -> None:
    requires("dead-letters")
    topic, dead = space.topic(), space.topic("dead")
    mourner = space.subscription(dead, "mourner")
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = space.subscription(topic, dead_letter_policy=policy)
    attempts: queue.Queue[int] = queue.Queue()

    def callback(message: Message) -> None:
        attempts.put(message.delivery_attempt)
        message.nack()

    with _subscribed(space, subscription, callback):
        space.publish(topic, b"hopeless")
        counted = [attempts.get(timeout=WITHIN_SECONDS) for _ in range(5)]
        forwarded = space.pull_one(mourner)
    assert counted == [1, 2, 3, 4, 5]
    assert forwarded.message.data == b"hopeless"


def test_a_stream_ends_when_its_subscription_is_deleted(space: Space, requires: Requires) -> None:
    requires("stream-end")
    topic = space.topic()
    subscription = space.subscription(topic)
    came = threading.Event()

    def callback(message: Message) -> None:
        message.ack()
        came.set()

    future = space.subscriber.subscribe(subscription, callback=callback)
    space.publish(topic)
    assert came.wait(WITHIN_SECONDS)
    space.subscriber.delete_subscription(subscription=subscription)
    with pytest.raises(NotFound):
        future.result(WITHIN_SECONDS)
