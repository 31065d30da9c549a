"""Events of the past, from the ingress topic where the events topic does not retain them."""

from dataclasses import replace
from datetime import datetime

from hooks.deployment import Deployment
from hooks.events.as_published import event_of
from hooks.subscription import Received
from localcloud.pubsub.envelope import rfc3339
from localcloud.pubsub.filters import Filter
from relay.ingress import parse_time


class Past:
    """The events that were received from `since` to `until` and that match the filter, each once.

    Those that were received shortly before `until` may also come from the events topic.
    """

    def __init__(
        self, deployment: Deployment, wanted: Filter, since: datetime, until: datetime
    ) -> None:
        self._deployment = deployment
        self._wanted = wanted
        self._since = since
        self._until = until
        # The message of each event: what is given back comes again with the same message id.
        self._messages: dict[str, str] = {}

    def of_now(self, message: Received) -> Received | None:
        """Return a message of the events topic, None if the event has come from ingress."""
        return message if "replay" in message.attributes or self._first(message) else None

    def of_ingress(self, message: Received) -> Received | None:
        """Return the event of an ingress message as it was published, None if it is not wanted."""
        arrived = parse_time(message.attributes.get("received-at")) or message.published
        if not self._since <= arrived < self._until:
            return None
        published = rfc3339(message.published)
        event = event_of(self._deployment, message.data, dict(message.attributes), published)
        if event is None or not self._wanted.matches(event.attributes):
            return None
        found = replace(message, attributes=dict(event.attributes))
        return found if self._first(found) else None

    def _first(self, message: Received) -> bool:
        return self._messages.setdefault(message.id, message.message_id) == message.message_id
