"""A topic: its description, its subscriptions, and its retained messages."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from localcloud.pubsub.delivery_policy import seconds
from localcloud.pubsub.messages import Message

if TYPE_CHECKING:
    from localcloud.pubsub.subscription import Subscription

MAX_RETAINED_BYTES = 128 << 20
MAX_REMEMBERED = 1000


class Topic:
    """A topic, its subscriptions by name, and its retained messages.

    Where the topic has a message retention duration, messages are kept that long for `seek`, the
    newest `MAX_RETAINED_BYTES` of them. `remembered` holds the last `MAX_REMEMBERED` published
    ones in any case, and `published` counts all, for tests and the demo.
    """

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self.subscriptions: dict[str, Subscription] = {}
        self.published = 0
        self.remembered: deque[Message] = deque(maxlen=MAX_REMEMBERED)
        self._retained: deque[Message] = deque()
        self._retained_bytes = 0

    @property
    def retention(self) -> float:
        """How long the topic itself retains messages, in seconds; 0 where it does not."""
        return seconds(self.proto.message_retention_duration)

    def add(self, message: Message) -> None:
        """Add a message to the topic and to every subscription."""
        self.published += 1
        self.remembered.append(message)
        if self.retention:
            self.retain([message])
        self._prune(message.published_at)
        for subscription in self.subscriptions.values():
            subscription.backlog.offer(message)

    def retain(self, messages: Iterable[Message]) -> None:
        """Add messages to the retained ones, which no subscription gets by that."""
        for message in messages:
            self._retained.append(message)
            self._retained_bytes += message.size

    def retained(self, now: float) -> Iterator[Message]:
        """Return the messages kept at that time, oldest first."""
        self._prune(now)
        return iter(self._retained)

    def _prune(self, now: float) -> None:
        horizon = now - self.retention
        while self._retained and (
            self._retained[0].published_at <= horizon or self._retained_bytes > MAX_RETAINED_BYTES
        ):
            self._retained_bytes -= self._retained.popleft().size
