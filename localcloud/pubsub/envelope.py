"""The HTTP request of a push, as https://cloud.google.com/pubsub/docs/push describes it."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localcloud.pubsub.lease import Lease

USER_AGENT = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"


@dataclass(frozen=True)
class PushRequest:
    """A POST to be made, and the id of the message that it delivers."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    message_id: str


def push_request(subscription: Any, lease: Lease, token: str | None) -> PushRequest:
    """Return the request that delivers a leased message, wrapped or not as the config says.

    `subscription` is a `google.pubsub.v1.Subscription`; `token` is sent as a bearer token.
    """
    config, proto = subscription.push_config, lease.message.proto
    headers = {"user-agent": USER_AGENT, "accept": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if config.HasField("no_wrapper"):
        if config.no_wrapper.write_metadata:
            headers = _metadata(subscription.name, lease) | headers
        return PushRequest(config.push_endpoint, headers, proto.data, proto.message_id)
    headers["content-type"] = "application/json"
    body = _wrapped(subscription, lease)
    return PushRequest(config.push_endpoint, headers, body, proto.message_id)


def rfc3339(when: datetime) -> str:
    """Return a UTC time as the service writes it: milliseconds and `Z`."""
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


def _wrapped(subscription: Any, lease: Lease) -> bytes:
    proto = lease.message.proto
    published = rfc3339(lease.message.publish_time)
    message: dict[str, Any] = {}
    if proto.attributes:
        message["attributes"] = dict(proto.attributes)
    if proto.data:
        message["data"] = base64.b64encode(proto.data).decode()
    message |= {"messageId": proto.message_id, "message_id": proto.message_id}
    if proto.ordering_key:
        message["orderingKey"] = proto.ordering_key
    message |= {"publishTime": published, "publish_time": published}
    envelope: dict[str, Any] = {"message": message, "subscription": subscription.name}
    if subscription.HasField("dead_letter_policy"):
        envelope["deliveryAttempt"] = lease.attempt
    return json.dumps(envelope, ensure_ascii=False).encode()


def _metadata(subscription: str, lease: Lease) -> dict[str, str]:
    proto = lease.message.proto
    headers = {
        key.lower(): value
        for key, value in proto.attributes.items()
        if _FIELD_NAME.fullmatch(key) and _FIELD_VALUE.fullmatch(value) and key.lower() not in _OURS
    }
    headers |= {
        "x-goog-pubsub-subscription-name": subscription,
        "x-goog-pubsub-message-id": proto.message_id,
        "x-goog-pubsub-publish-time": rfc3339(lease.message.publish_time),
    }
    if proto.ordering_key and _FIELD_VALUE.fullmatch(proto.ordering_key):
        headers["x-goog-pubsub-ordering-key"] = proto.ordering_key
    return headers


# What HTTP can carry (RFC 9110, 5.1 and 5.5), and what frames the request itself.
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FIELD_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")
_OURS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "accept",
    }
)
