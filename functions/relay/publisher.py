"""Publishing to Pub/Sub from an event loop: messages that arrive together share one call."""

from collections.abc import Mapping
from typing import Protocol


class Publisher(Protocol):
    """What a hop needs of Pub/Sub."""

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        """Publish one message to `projects/…/topics/…` and return the id that Pub/Sub gave it.

        Returns only once Pub/Sub has confirmed it. `timeout` is in seconds, and covers the wait
        in the queue too. Raises `PublishUnavailable` where trying again may succeed, and
        `PublishRefused` where Pub/Sub called this very message an invalid argument.
        """
        ...
