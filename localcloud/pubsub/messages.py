"""A published message, shared by every subscription."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.pubsub_v1 import types

from localcloud.core.clock import Clock

PubsubMessage = types.PubsubMessage.pb()


@dataclass(frozen=True)
class Message:
    """A published message.

    `number` grows with each message of the service; `published_at` is in Unix seconds; `proto` is
    the `google.pubsub.v1.PubsubMessage`, which nobody may change; `size` is in bytes.
    """

    __slots__ = ("number", "proto", "published_at", "size")

    number: int
    published_at: float
    proto: Any
    size: int

    @classmethod
    def of(cls, proto: Any) -> "Message":
        """Return the message whose `PubsubMessage` bears its id and publish time."""
        published_at = proto.publish_time.ToMilliseconds() / 1000
        return cls(int(proto.message_id), published_at, proto, proto.ByteSize())

    @property
    def publish_time(self) -> datetime:
        """When it was published, in UTC, to the millisecond."""
        return datetime.fromtimestamp(self.published_at, UTC)


class Stamps:
    """Assigns message ids and publish times, both increasing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Starts at the current time, so that ids differ from those of an earlier run.
        self._numbers = itertools.count(int(clock.time() * 1000) * 1000)

    def stamp(self, data: bytes, attributes: dict[str, str], ordering_key: str) -> Message:
        """Return a message with an id and a publish time of its own."""
        number = next(self._numbers)
        milliseconds = int(self._clock.time() * 1000)
        proto = PubsubMessage(
            data=data, attributes=attributes, ordering_key=ordering_key, message_id=str(number)
        )
        proto.publish_time.FromMilliseconds(milliseconds)
        return Message.of(proto)

    def continue_after(self, number: int) -> None:
        """Assign only ids above that number from now on."""
        self._numbers = itertools.count(max(next(self._numbers), number + 1))
