"""What the ingress topic's messages have in common, whoever publishes them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache


def message(
    identifier: str, scheme: str, event_type: str, data: Mapping[str, object], now: datetime
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the attributes of the message of an event that we announce.

    `identifier` is its `webhook-id` and its dedup key. What JSON cannot hold becomes text.
    """
    time = rfc3339(now.timestamp())
    body = {"type": event_type, "version": "v1", "timestamp": time, "data": data}
    attributes = {
        "webhook-id": identifier,
        "dedup-key": identifier,
        "webhook-timestamp": str(int(now.timestamp())),
        "scheme": scheme,
        "received-at": time,
    }
    plain = json.loads(json.dumps(body, default=str), parse_constant=str)
    return json.dumps(plain, separators=(",", ":")).encode("ascii"), attributes


def rfc3339(seconds: float) -> str:
    """Return a time in Unix seconds as RFC 3339, UTC, with milliseconds."""
    return f"{_second(int(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    # Formatted once a second rather than once a delivery.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
