"""What the ingress topic's messages have in common, whoever publishes them."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

# https://www.rfc-editor.org/rfc/rfc3339#section-5.6
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,30})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


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


def parse_time(text: object) -> datetime | None:
    """Return an RFC 3339 date and time in UTC; None for anything else."""
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
