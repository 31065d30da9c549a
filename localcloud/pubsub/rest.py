"""Pub/Sub's REST form, https://cloud.google.com/pubsub/docs/reference/rest, as bindings of methods.

The client library's own REST transport, which is generated from the methods' annotations, holds
them.
"""

from collections.abc import Iterator
from typing import Any

from google.pubsub_v1.services.publisher.transports import rest_base as publisher
from google.pubsub_v1.services.subscriber.transports import rest_base as subscriber

from localcloud.core.transcoding import Rule

_TRANSPORTS: dict[str, Any] = {
    "google.pubsub.v1.Publisher": publisher._BasePublisherRestTransport,  # noqa: SLF001
    "google.pubsub.v1.Subscriber": subscriber._BaseSubscriberRestTransport,  # noqa: SLF001
}


def rules() -> Iterator[Rule]:
    """Yield the bindings of all methods."""
    for service, transport in _TRANSPORTS.items():
        for name, member in vars(transport).items():
            for option in getattr(member, "_get_http_options", list)():
                yield Rule(
                    service,
                    name.removeprefix("_Base"),
                    option["method"].upper(),
                    option["uri"],
                    option.get("body", ""),
                )
