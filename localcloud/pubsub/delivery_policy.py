"""How a subscription delivers: deadline, retention, backoff, dead letters, filter."""

from dataclasses import dataclass, field
from typing import Any

from localcloud.pubsub.filter_parser import parse_filter
from localcloud.pubsub.filters import Everything, Filter

DEFAULT_MIN_BACKOFF_SECONDS = 10.0
DEFAULT_MAX_BACKOFF_SECONDS = 600.0
# What the service documents as "push backoff", for push subscriptions without a retry policy.
PUSH_MIN_BACKOFF_SECONDS = 0.1
PUSH_MAX_BACKOFF_SECONDS = 60.0


@dataclass(frozen=True)
class Backoff:
    """Exponential: `minimum` seconds after the first failure, doubling up to `maximum`."""

    minimum: float = 0.0
    maximum: float = 0.0

    def seconds(self, failures: int) -> float:
        """Return how long to wait after that many failures of a message (1 or more)."""
        # Beyond 64 doublings any maximum has been reached.
        return min(self.maximum, self.minimum * 2.0 ** min(failures - 1, 64))


@dataclass(frozen=True)
class DeliveryPolicy:
    """The settings of one subscription; times in seconds."""

    ack_deadline: float = 10.0
    retention: float = 7 * 86400.0
    retain_acked: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    dead_letter_topic: str = ""
    max_delivery_attempts: int = 0
    filter: Filter = field(default_factory=Everything)

    def exhausted(self, failures: int) -> bool:
        """Return whether a message that failed so often goes to the dead-letter topic."""
        return bool(self.dead_letter_topic) and failures >= self.max_delivery_attempts


def read_policy(subscription: Any, topic_retention: float) -> DeliveryPolicy:
    """Return the policy that a valid `google.pubsub.v1.Subscription` states.

    `topic_retention` is how long its topic retains messages, in seconds; the subscription retains
    them at least as long.
    """
    return DeliveryPolicy(
        ack_deadline=float(subscription.ack_deadline_seconds),
        retention=max(seconds(subscription.message_retention_duration), topic_retention),
        retain_acked=subscription.retain_acked_messages,
        backoff=_backoff(subscription),
        dead_letter_topic=subscription.dead_letter_policy.dead_letter_topic,
        max_delivery_attempts=subscription.dead_letter_policy.max_delivery_attempts,
        filter=parse_filter(subscription.filter),
    )


def seconds(duration: Any) -> float:
    """Return a `google.protobuf.Duration` in seconds."""
    return float(duration.seconds + duration.nanos / 1e9)


def retry_bounds(retry_policy: Any) -> tuple[float, float]:
    """Return the minimum and maximum backoff of a `RetryPolicy` in seconds, defaults filled in."""
    minimum, maximum = DEFAULT_MIN_BACKOFF_SECONDS, DEFAULT_MAX_BACKOFF_SECONDS
    if retry_policy.HasField("minimum_backoff"):
        minimum = seconds(retry_policy.minimum_backoff)
    if retry_policy.HasField("maximum_backoff"):
        maximum = seconds(retry_policy.maximum_backoff)
    return minimum, maximum


def _backoff(subscription: Any) -> Backoff:
    if subscription.HasField("retry_policy"):
        return Backoff(*retry_bounds(subscription.retry_policy))
    if subscription.push_config.push_endpoint:
        return Backoff(PUSH_MIN_BACKOFF_SECONDS, PUSH_MAX_BACKOFF_SECONDS)
    return Backoff()
