"""A delivery as it arrived, once its form is right; nothing of it is proven yet."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from relay.errors import Refused

# Without a dot, which parts what is signed: `id.timestamp.body` would read in more ways than one.
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
_ID = re.compile(rb"[\x21-\x2d\x2f-\x7e]{1,256}")
_TIMESTAMP = re.compile(rb"[0-9]{1,15}")
# A token that carries an event in its claims is by far the longest.
_SIGNATURE = re.compile(rb"[\x20-\x7e]{1,16384}")
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_NAMES = frozenset({b"webhook-id", b"webhook-timestamp", b"webhook-signature", b"traceparent"})

Headers = Iterable[tuple[bytes, bytes]]
"""Names in lower case, as ASGI passes them."""


class Delivery(NamedTuple):
    """One delivery; times are in Unix seconds."""

    id: str
    timestamp: int
    signature: bytes
    """The whole header, ASCII."""
    traceparent: str | None
    body: bytes
    received_at: float
    signed: bytes
    """The bytes that `v1` and `v1a` sign: `id.timestamp.body`, as received."""

    @classmethod
    def parse(cls, headers: Headers, body: bytes, received_at: float) -> "Delivery":
        """Check the headers' form.

        Raises `Refused` (400) unless each of the three is there exactly once, printable ASCII,
        within its bounds, the id without a dot, and the timestamp in plain decimal digits. A
        `traceparent` that is malformed or repeated is dropped.
        """
        found = _pick(headers)
        identifier = _required(found, b"webhook-id", _ID)
        timestamp = _required(found, b"webhook-timestamp", _TIMESTAMP)
        signature = _required(found, b"webhook-signature", _SIGNATURE)
        return cls(
            id=identifier.decode("ascii"),
            timestamp=int(timestamp),
            signature=signature,
            traceparent=_traceparent(found.get(b"traceparent")),
            body=body,
            received_at=received_at,
            signed=b"%b.%b.%b" % (identifier, timestamp, body),
        )

    def check_age(self, tolerance: float) -> None:
        """Raise `Refused` (401) if it was signed more than `tolerance` seconds from its arrival."""
        if abs(self.received_at - self.timestamp) > tolerance:
            raise Refused(401, "timestamp")


def _pick(headers: Headers) -> dict[bytes, bytes | None]:
    # A header that comes twice is as good as none: which one the sender signed is a guess.
    found: dict[bytes, bytes | None] = {}
    for name, value in headers:
        if name in _NAMES:
            found[name] = None if name in found else value
    return found


def _required(found: dict[bytes, bytes | None], name: bytes, form: re.Pattern[bytes]) -> bytes:
    value = found.get(name)
    if value is None or not form.fullmatch(value):
        raise Refused(400, "malformed-header" if name in found else "missing-header")
    return value


def _traceparent(value: bytes | None) -> str | None:
    return value.decode("ascii") if value and _TRACEPARENT.fullmatch(value) else None
