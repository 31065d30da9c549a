"""Ingress messages as the event messages that the dispatcher makes of them."""

from hooks.deployment import DEAD_LETTER, Deployment
from relay.dispatcher import event
from relay.dispatcher.claims import Terms
from relay.dispatcher.event import Event
from relay.dispatcher.settings import Settings
from relay.errors import Poison
from relay.web.push import PushedMessage


def event_of(
    deployment: Deployment, data: bytes, attributes: dict[str, str], published: str
) -> Event | None:
    """Return the event of an ingress message, None if the message is poison.

    `published` is the message's publish time as RFC 3339.
    """
    settings = Settings(deployment.project, deployment.topics[DEAD_LETTER], (), Terms())
    message = PushedMessage(data, attributes, publish_time=published)
    try:
        return event.read(message, source=settings.source)
    except Poison:
        return None
