"""Validation of names, messages, topics and subscriptions.

Bounds are those of https://cloud.google.com/pubsub/quotas#resource_limits and of the API's
reference. Each function raises `RpcError` (`INVALID_ARGUMENT`), and returns nothing else.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from localcloud.pubsub.delivery_policy import retry_bounds, seconds
from localcloud.pubsub.errors import invalid, not_imitated
from localcloud.pubsub.filter_parser import FilterSyntaxError, parse_filter

MAX_REQUEST_BYTES = 10_000_000
MAX_MESSAGES = 1000
MAX_ATTRIBUTES = 100
MAX_KEY_BYTES = 256
MAX_VALUE_BYTES = 1024
MAX_ORDERING_KEY_BYTES = 1024
MIN_RETENTION_SECONDS = 600
MAX_RETENTION_SECONDS = 31 * 86400
MIN_ACK_DEADLINE_SECONDS = 10
MAX_ACK_DEADLINE_SECONDS = 600
MIN_EXPIRATION_SECONDS = 86400
MIN_DELIVERY_ATTEMPTS = 5
MAX_DELIVERY_ATTEMPTS = 100
MAX_BACKOFF_SECONDS = 600

_NAME = re.compile(
    r"projects/[^/]+/(?P<kind>topics|subscriptions|snapshots)/(?P<id>[A-Za-z][A-Za-z0-9_.~+%-]{2,254})"
)
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def check_name(name: str, kind: str) -> None:
    """Refuse a name that is not `projects/…/{kind}/…`.

    `kind` is `topics`, `subscriptions` or `snapshots`.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["kind"] != kind or match["id"].startswith("goog"):
        raise invalid(
            f"Invalid resource name given (name={name}). Refer to "
            "https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more "
            "information."
        )


def check_publish(request: Any) -> None:
    """Refuse a `PublishRequest` that is too large, empty, or holds a message that is refused."""
    if not request.messages:
        raise invalid(
            "The value for message_count is too small. You passed 0 in the request, but "
            "the minimum value is 1."
        )
    if len(request.messages) > MAX_MESSAGES:
        raise invalid(
            f"The value for message_count is too large. You passed "
            f"{len(request.messages)} in the request, but the maximum value is "
            f"{MAX_MESSAGES}."
        )
    size = request.ByteSize()
    if size > MAX_REQUEST_BYTES:
        raise invalid(
            f"The value for request_size is too large. You passed {size} in the request, "
            f"but the maximum value is {MAX_REQUEST_BYTES}."
        )
    for message in request.messages:
        check_message(message)


def check_message(message: Any) -> None:
    """Refuse a `PubsubMessage` that nobody may publish."""
    if not message.data and not message.attributes:
        raise invalid(
            "One or more messages in the publish request is empty. Each message must "
            "contain either non-empty data, or at least one attribute."
        )
    if len(message.attributes) > MAX_ATTRIBUTES:
        raise invalid(
            f"A message may have at most {MAX_ATTRIBUTES} attributes; this one has "
            f"{len(message.attributes)}."
        )
    if len(message.ordering_key.encode()) > MAX_ORDERING_KEY_BYTES:
        raise invalid(f"An ordering key may have at most {MAX_ORDERING_KEY_BYTES} bytes.")
    for key, value in message.attributes.items():
        _check_attribute(key, value)


def _check_attribute(key: str, value: str) -> None:
    if not 0 < len(key.encode()) <= MAX_KEY_BYTES:
        raise invalid(f"An attribute's key must have 1 to {MAX_KEY_BYTES} bytes.")
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise invalid(f"The value of attribute {key!r} has more than {MAX_VALUE_BYTES} bytes.")
    if key.startswith("goog"):
        raise invalid(f"The key of attribute {key!r} may not begin with 'goog'.")


def check_topic(topic: Any) -> None:
    """Refuse a `Topic` whose fields are out of bounds, or ask for what is not imitated."""
    check_name(topic.name, "topics")
    check_labels(topic.labels)
    if topic.HasField("message_retention_duration"):
        _check_retention(topic.message_retention_duration)
    for name in ("schema_settings", "ingestion_data_source_settings"):
        if topic.HasField(name):
            raise not_imitated(f"a topic's {name}")
    if topic.message_transforms:
        raise not_imitated("a topic's message_transforms")


def check_subscription(subscription: Any) -> None:
    """Refuse a `Subscription` whose fields are out of bounds, or ask for what is not imitated.

    Defaults have been filled in.
    """
    check_name(subscription.name, "subscriptions")
    check_labels(subscription.labels)
    check_ack_deadline(subscription.ack_deadline_seconds, "ack_deadline_seconds")
    _check_retention(subscription.message_retention_duration)
    _check_destination(subscription)
    check_push_config(subscription.push_config)
    _check_expiration(subscription.expiration_policy)
    if subscription.HasField("retry_policy"):
        _check_retry_policy(subscription.retry_policy)
    if subscription.HasField("dead_letter_policy"):
        _check_dead_letter_policy(subscription.dead_letter_policy)
    _check_filter(subscription.filter)
    if subscription.message_transforms:
        raise not_imitated("a subscription's message_transforms")
    if subscription.enable_exactly_once_delivery:
        raise not_imitated("exactly-once delivery")


def check_labels(labels: Any) -> None:
    """Refuse labels that no Google Cloud resource may have."""
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise invalid(
                f"The label {key!r}: {value!r} is not allowed: lowercase letters, "
                "digits, hyphens and underscores, at most 63, the key a letter first."
            )


def check_ack_deadline(value: int, field: str) -> None:
    """Refuse an acknowledgement deadline of a subscription or stream outside 10 to 600 seconds."""
    if not MIN_ACK_DEADLINE_SECONDS <= value <= MAX_ACK_DEADLINE_SECONDS:
        raise invalid(
            f"Invalid {field} given: {value}. It must be between "
            f"{MIN_ACK_DEADLINE_SECONDS} and {MAX_ACK_DEADLINE_SECONDS} seconds."
        )


def check_push_config(push_config: Any) -> None:
    """Refuse a `PushConfig` whose endpoint is not an http or https URL."""
    endpoint = push_config.push_endpoint
    if not endpoint:
        if push_config.HasField("oidc_token") or push_config.HasField("no_wrapper"):
            raise invalid("A push_config without push_endpoint may not set anything else.")
        return
    try:
        parts = urlsplit(endpoint)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not endpoint.isascii() or not endpoint.isprintable():
        raise invalid(
            f"Invalid push endpoint given (endpoint={endpoint}). Refer to "
            "https://cloud.google.com/pubsub/docs/subscriber#create for more information."
        )
    if push_config.HasField("oidc_token") and not push_config.oidc_token.service_account_email:
        raise invalid("An oidc_token must name its service_account_email.")


def _check_retention(duration: Any) -> None:
    if not MIN_RETENTION_SECONDS <= seconds(duration) <= MAX_RETENTION_SECONDS:
        raise invalid(
            "The message_retention_duration must be between 10 minutes and 31 days; "
            f"it is {seconds(duration):g} seconds."
        )


def _check_destination(subscription: Any) -> None:
    exports = ("bigquery_config", "cloud_storage_config", "bigtable_config")
    named = [name for name in exports if subscription.HasField(name)]
    if subscription.push_config.push_endpoint:
        named.append("push_config")
    if len(named) > 1:
        raise invalid(f"At most one of {', '.join(sorted(named))} may be set.")


def _check_expiration(policy: Any) -> None:
    if policy.HasField("ttl") and seconds(policy.ttl) < MIN_EXPIRATION_SECONDS:
        raise invalid("The expiration_policy.ttl must be at least one day.")


def _check_retry_policy(policy: Any) -> None:
    minimum, maximum = retry_bounds(policy)
    if not 0 <= minimum <= maximum <= MAX_BACKOFF_SECONDS:
        raise invalid(
            "The retry_policy needs 0 <= minimum_backoff <= maximum_backoff <= "
            f"{MAX_BACKOFF_SECONDS} seconds; it has {minimum:g} and {maximum:g}."
        )


def _check_dead_letter_policy(policy: Any) -> None:
    check_name(policy.dead_letter_topic, "topics")
    if not MIN_DELIVERY_ATTEMPTS <= policy.max_delivery_attempts <= MAX_DELIVERY_ATTEMPTS:
        raise invalid(
            "The dead_letter_policy.max_delivery_attempts must be between "
            f"{MIN_DELIVERY_ATTEMPTS} and {MAX_DELIVERY_ATTEMPTS}; it is "
            f"{policy.max_delivery_attempts}."
        )


def _check_filter(text: str) -> None:
    try:
        parse_filter(text)
    except FilterSyntaxError as error:
        raise invalid(f"Invalid filter string: {text!r}: {error}.") from error
