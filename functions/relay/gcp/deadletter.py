"""Publishing a message that can never be handled to the dead-letter topic."""

from collections.abc import Mapping

from relay.errors import PublishRefused, Unavailable
from relay.gcp.publisher import Publisher

# https://cloud.google.com/pubsub/quotas#resource_limits
MAX_ATTRIBUTES = 100


def dead_letter(attributes: Mapping[str, str], reason: str) -> dict[str, str]:
    """Return the attributes of the dead letter of a message; its data is the message's own.

    They are the message's attributes and `reason`, so that publishing it to the ingress topic again
    is a replay. Names that Pub/Sub reserves (`goog…`) are left out, and so are attributes beyond a
    hundred: either would make the dead letter itself unpublishable.
    """
    kept = [
        entry
        for entry in attributes.items()
        if entry[0] != "reason" and not entry[0].lower().startswith("goog")
    ]
    return {**dict(kept[: MAX_ATTRIBUTES - 1]), "reason": reason}


async def publish_dead_letter(
    publisher: Publisher,
    topic: str,
    data: bytes,
    attributes: Mapping[str, str],
    reason: str,
    *,
    timeout: float,
) -> None:
    """Publish the dead letter of a message, within `timeout` seconds.

    Raises `Unavailable`; the subscription then keeps the message.
    """
    try:
        await publisher.publish(topic, data, dead_letter(attributes, reason), timeout=timeout)
    except PublishRefused as error:
        raise Unavailable("dead-letter-unpublished") from error
