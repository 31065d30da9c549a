"""A subscription: its description, its backlog, and its pusher where it has an endpoint."""

from collections.abc import Callable
from typing import Any

from google.pubsub_v1 import types

from localcloud.core.rpc import RpcError
from localcloud.pubsub.backlog import Backlog
from localcloud.pubsub.errors import failed_precondition
from localcloud.pubsub.push import Pusher

DELETED_TOPIC = "_deleted-topic_"
_EXPORTS = ("bigquery_config", "cloud_storage_config", "bigtable_config")
_Proto = types.Subscription.pb()


class Subscription:
    """A subscription of a topic.

    `proto` is its `google.pubsub.v1.Subscription` with every default filled in. `start_pusher`
    makes the pusher of a push subscription.
    """

    def __init__(
        self, proto: Any, backlog: Backlog, start_pusher: Callable[["Subscription"], Pusher]
    ) -> None:
        self.proto = proto
        self.backlog = backlog
        self._start_pusher = start_pusher
        self._pusher: Pusher | None = None

    @property
    def name(self) -> str:
        """The full name, `projects/…/subscriptions/…`."""
        return str(self.proto.name)

    @property
    def project(self) -> str:
        """The id of the project that it belongs to."""
        return self.name.split("/")[1]

    async def deliver(self) -> None:
        """Push if there is an endpoint, and stop pushing if there is none."""
        if self.proto.push_config.push_endpoint:
            self._pusher = self._pusher or self._start_pusher(self)
        else:
            await self.stop()

    async def stop(self) -> None:
        """Stop pushing; return once no task of it runs."""
        pusher, self._pusher = self._pusher, None
        if pusher is not None:
            await pusher.close()

    async def close(self, error: RpcError) -> None:
        """Drop every message and stop pushing; waiting pulls raise `error`."""
        self.backlog.close(error)
        await self.stop()

    def check_pullable(self) -> None:
        """Raise `RpcError` where messages are pushed or exported instead of pulled."""
        if self.proto.push_config.push_endpoint or any(map(self.proto.HasField, _EXPORTS)):
            raise failed_precondition("This method is not supported for this subscription type.")


def fill_defaults(proto: Any) -> None:
    """Fill in the defaults of a `google.pubsub.v1.Subscription`, and clear output-only fields."""
    proto.ack_deadline_seconds = proto.ack_deadline_seconds or 10
    if not proto.HasField("message_retention_duration"):
        proto.message_retention_duration.FromSeconds(7 * 86400)
    if not proto.HasField("expiration_policy"):
        proto.expiration_policy.ttl.FromSeconds(31 * 86400)
    if proto.HasField("dead_letter_policy"):
        policy = proto.dead_letter_policy
        policy.max_delivery_attempts = policy.max_delivery_attempts or 5
    if proto.push_config.push_endpoint and "x-goog-version" not in proto.push_config.attributes:
        proto.push_config.attributes["x-goog-version"] = "v1"
    proto.state = _Proto.State.Value("ACTIVE")
    # What only the service itself says.
    for name in ("topic_message_retention_duration", "analytics_hub_subscription_info", "detached"):
        proto.ClearField(name)
