"""A snapshot: what a subscription has not acknowledged at one moment.

https://cloud.google.com/pubsub/docs/replay-overview#seek_to_a_snapshot
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from localcloud.pubsub.messages import Message
from localcloud.pubsub.subscription import Subscription
from localcloud.pubsub.topic import Topic

LIFETIME_SECONDS = 7 * 86400
"""How long the service keeps a snapshot at most. This one keeps it until it is deleted."""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as `proto`, a `google.pubsub.v1.Snapshot`, and its messages, oldest first."""

    proto: Any
    unacknowledged: tuple[Message, ...]
    newest: int
    """The number of the newest message of the topic at that moment."""

    @classmethod
    def take(cls, proto: Any, subscription: Subscription, topic: Topic) -> "Snapshot":
        """Take a snapshot of a subscription."""
        newest = max((message.number for message in topic.remembered), default=0)
        return cls(proto, tuple(subscription.backlog.unacknowledged_messages()), newest)

    def messages(self, topic: Topic, now: float) -> Iterable[Message]:
        """Return what a subscription has after it was sought to this snapshot, oldest first."""
        since = {
            message.number: message
            for message in (*topic.retained(now), *topic.remembered)
            if message.number > self.newest
        }
        return [*self.unacknowledged, *(since[number] for number in sorted(since))]
