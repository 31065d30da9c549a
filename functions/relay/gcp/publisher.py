"""Publishing to Pub/Sub from an event loop: messages that arrive together share one call."""

from collections.abc import Mapping
from typing import Protocol

from relay.environment import Environment
from relay.gcp.batching import BatchingPublisher
from relay.gcp.channels import opener


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


def create_publisher(environ: Mapping[str, str]) -> BatchingPublisher:
    """Make the publisher of one function, to Pub/Sub or to `PUBSUB_EMULATOR_HOST`.

    Safe to call before the server forks: nothing connects until the first message, or `connect`.
    """
    emulator = Environment(environ).text("PUBSUB_EMULATOR_HOST")
    return BatchingPublisher(opener("pubsub.googleapis.com", emulator))
