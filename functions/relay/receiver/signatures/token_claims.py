"""The event inside a token: its claims are signed, the body beside it is not."""

import hashlib
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
"""RFC 7519, section 4.1: about the token, not about the event."""


def event_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims that are the event. Raises `ValueError` where they name no `type`."""
    event = {name: value for name, value in claims.items() if name not in REGISTERED}
    kind = event.get("type")
    if not isinstance(kind, str) or not kind:
        raise ValueError("the claims name no type")
    return event


def check_times(claims: Mapping[str, Any], now: float, tolerance: float) -> int:
    """Return when the token was issued, in Unix seconds.

    Raises `ValueError` unless it was issued within `tolerance` seconds of `now`, has not expired,
    and may be used already.
    """
    issued = _seconds(claims["iat"])
    if abs(now - issued) > tolerance:
        raise ValueError("issued outside of the tolerance")
    if _seconds(claims["exp"]) <= now:
        raise ValueError("expired")
    if "nbf" in claims and _seconds(claims["nbf"]) > now + tolerance:
        raise ValueError("not yet valid")
    return int(issued)


def deduplication_key(event: Mapping[str, Any]) -> str:
    """Return a digest of the event's claims.

    A retry may be signed anew, with another `jti`, so nothing about the token enters the digest.
    """
    return f"sha256-{hashlib.sha256(_compact(event, sort_keys=True)).hexdigest()}"


def signed_body(body: bytes, payload: bytes, event: Mapping[str, Any]) -> bytes:
    """Return the bytes to publish: `body` if the token's `payload` says the same, else raise.

    An empty body stands for the event's claims. Raises `ValueError` for a body that says anything
    else than the claims do: another type, `1.0` for `1`, a key twice, a number that is none.
    """
    if not body:
        return _compact(event)
    signed = event_claims(_parse(payload))
    if not _same(_parse(body), signed):
        raise ValueError("the body disagrees with the claims")
    return body


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a time")
    return value


def _compact(event: Mapping[str, Any], *, sort_keys: bool = False) -> bytes:
    text = json.dumps(event, separators=(",", ":"), allow_nan=False, sort_keys=sort_keys)
    return text.encode()


def _parse(document: bytes) -> Any:
    # Decimal keeps every digit: two numbers that differ only beyond a float's precision differ.
    return json.loads(
        document.decode(),
        parse_float=Decimal,
        parse_constant=_no_constant,
        object_pairs_hook=_unique,
    )


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _same(left: Any, right: Any) -> bool:
    # Plain equality would hold True, 1 and 1.0 for the same.
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)
