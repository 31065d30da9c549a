"""Why a token does not verify, from what it says unverified. Pure."""

from collections.abc import Sequence
from typing import Any

import jwt
from jwt.utils import base64url_decode

from relay.keys.keyset import KeySet
from relay.receiver.delivery import Delivery
from relay.receiver.signatures.token_claims import check_times, event_claims, signed_body


def objection(
    token: bytes, delivery: Delivery, keys: KeySet, audiences: Sequence[str], tolerance: float
) -> str:
    """Return the first thing that is wrong with a token that has been refused."""
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        return f"not a token: {error}"
    if header.get("alg") != "RS256" or "kid" not in header:
        return f"its header must have alg RS256 and a kid; it is {header}"
    if header["kid"] not in keys.rsa:
        known = ", ".join(keys.rsa) or "none"
        return f"its key {header['kid']!r} is not among the public keys, which are {known}"
    return _claims(token, claims, delivery, audiences, tolerance)


def _claims(
    token: bytes,
    claims: dict[str, Any],
    delivery: Delivery,
    audiences: Sequence[str],
    tolerance: float,
) -> str:
    given = claims.get("aud")
    named = given if isinstance(given, list) else [given]
    if not set(map(str, named)) & set(audiences):
        return f"its audience is {given!r}, and accepted are {', '.join(audiences)} (JWT_AUDIENCE)"
    try:
        check_times(claims, delivery.received_at, tolerance)
        event = event_claims(claims)
        signed_body(delivery.body, base64url_decode(token.split(b".")[1]), event)
    except KeyError as error:
        return f"it has no claim {error}"
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        return str(error)
    return "its signature is not by the key that it names"
