"""A project of its own on some emulator, and the real clients' words for what tests do in it."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1 import PublisherClient as Publisher
from google.pubsub_v1 import types

WITHIN_SECONDS = 20.0


class Space:
    """Topics and subscriptions under names that nobody else uses.

    `publisher` and `subscriber` are the clients that applications use; `api` is the publisher's
    API without batching.
    """

    def __init__(self, publisher: PublisherClient, subscriber: SubscriberClient) -> None:
        self.publisher = publisher
        self.subscriber = subscriber
        self.api = Publisher(transport=publisher.transport)
        self.project = f"projects/contract-{uuid.uuid4().hex[:12]}"

    def topic(self, name: str = "events", **fields: Any) -> str:
        """Create a topic and return its full name."""
        path = f"{self.project}/topics/{name}"
        self.api.create_topic(request={"name": path, **fields})
        return path

    def subscription(self, topic: str, name: str = "reader", **fields: Any) -> str:
        """Create a subscription and return its full name."""
        path = f"{self.project}/subscriptions/{name}"
        self.subscriber.create_subscription(request={"name": path, "topic": topic, **fields})
        return path

    def publish(self, topic: str, data: bytes = b"x", **attributes: str) -> str:
        """Publish a message and return its id."""
        published: str = self.publisher.publish(topic, data, **attributes).result(WITHIN_SECONDS)
        return published

    def pull(
        self, subscription: str, count: int = 1, within: float = WITHIN_SECONDS
    ) -> list[types.ReceivedMessage]:
        """Pull until there are `count` messages; fewer only if time runs out."""
        received: list[types.ReceivedMessage] = []
        end = time.monotonic() + within
        while len(received) < count and (left := end - time.monotonic()) > 0:
            request = {"subscription": subscription, "max_messages": count - len(received)}
            try:
                reply = self.subscriber.pull(request=request, timeout=left, retry=None)
            except DeadlineExceeded:
                break
            received += reply.received_messages
        return received

    def pull_one(self, subscription: str) -> types.ReceivedMessage:
        """Pull exactly one message; fails if none comes."""
        received = self.pull(subscription)
        assert len(received) == 1, f"no message came within {WITHIN_SECONDS} seconds"
        return received[0]

    def settle(self, topic: str, subscription: str) -> list[bytes]:
        """Publish a last message, and return the data of what comes before it.

        What a subscription is never to deliver is found missing without a wait.
        """
        self.publish(topic, b"last", settle="yes")
        before: list[bytes] = []
        while True:
            received = self.pull_one(subscription)
            self.acknowledge(subscription, received)
            if received.message.data == b"last":
                return before
            before.append(received.message.data)

    def acknowledge(self, subscription: str, *received: types.ReceivedMessage) -> None:
        """Acknowledge messages."""
        self.subscriber.acknowledge(
            request={"subscription": subscription, "ack_ids": _ack_ids(received)}
        )

    def modify(self, subscription: str, seconds: int, *received: types.ReceivedMessage) -> None:
        """Move the acknowledgement deadline of messages; 0 gives them back."""
        self.subscriber.modify_ack_deadline(
            request={
                "subscription": subscription,
                "ack_ids": _ack_ids(received),
                "ack_deadline_seconds": seconds,
            }
        )


def _ack_ids(received: Sequence[types.ReceivedMessage]) -> list[str]:
    return [each.ack_id for each in received]
