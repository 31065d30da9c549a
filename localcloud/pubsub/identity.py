"""Identity tokens in the shape that a Cloud Run function sees behind IAM."""

import base64
import functools
import json
from typing import Any

from localcloud.core.clock import Clock
from localcloud.pubsub.push import IdentityToken

_LIFETIME_SECONDS = 3600


def shaped_identity_token(clock: Clock) -> IdentityToken:
    """Return a source of tokens with Google's claims and no signature.

    In the place of the signature stands what Cloud Run leaves of one that it has checked. Nobody
    who verifies signatures accepts such a token; use a signing source where that is wanted.
    """

    def token(email: str, audience: str) -> str:
        return made(email, audience, int(clock.time()))

    # All pushes of a second bear the same one.
    @functools.lru_cache(maxsize=64)
    def made(email: str, audience: str, now: int) -> str:
        claims = {
            "aud": audience,
            "azp": email,
            "email": email,
            "email_verified": True,
            "exp": now + _LIFETIME_SECONDS,
            "iat": now,
            "iss": "https://accounts.google.com",
            "sub": email,
        }
        header = {"alg": "RS256", "kid": "embedded", "typ": "JWT"}
        return f"{_segment(header)}.{_segment(claims)}.SIGNATURE_REMOVED_BY_GOOGLE"

    return token


def _segment(value: dict[str, Any]) -> str:
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
