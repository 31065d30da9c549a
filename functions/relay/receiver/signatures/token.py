"""A bare JWT, RS256: the scheme that Gemini documents for dynamic webhooks."""

from collections.abc import Sequence

import jwt
from jwt.utils import base64url_decode

from relay.keys.keyset import KeySet
from relay.receiver.delivery import Delivery
from relay.receiver.signatures.base import Outcome, Verified
from relay.receiver.signatures.token_claims import (
    check_times,
    deduplication_key,
    event_claims,
    signed_body,
)

# PyJWT documents the first alone. Some keys, claims and encodings raise Python's own errors, and so
# do numbers too large for a float and values nested too deeply for the stack.
_REJECTIONS = (jwt.PyJWTError, TypeError, ValueError, ArithmeticError, RecursionError)


class TokenScheme:
    """Verifies compact JWTs whose `aud` names one of `audiences`.

    The token signs neither the body nor the other headers: the event, its identity and its time
    come from the claims, and a body that says anything else is refused. A token is fresh if it was
    issued within `tolerance` seconds of the delivery's arrival and has not expired.
    """

    name = "jwt"

    def __init__(self, audiences: Sequence[str], tolerance: float) -> None:
        self._audiences = audiences
        self._tolerance = tolerance

    def verify(
        self, delivery: Delivery, entries: Sequence[bytes], keys: KeySet
    ) -> Verified | Outcome:
        """Return what the first entry that verifies proves, or why none does."""
        outcome = Outcome.INVALID
        for token in entries:
            try:
                key = self._key(token, keys)
                if key is not None:
                    return self._verified(delivery, token, key)
                outcome = Outcome.UNKNOWN_KEY
            except _REJECTIONS:
                continue
        return outcome

    def _key(self, token: bytes, keys: KeySet) -> jwt.PyJWK | None:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != "RS256" or "kid" not in header:
            raise jwt.InvalidAlgorithmError("only RS256 with a key id")
        return keys.rsa.get(header["kid"])

    def _verified(self, delivery: Delivery, token: bytes, key: jwt.PyJWK) -> Verified:
        claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=self._audiences,
            options={
                "require": ["exp", "iat"],
                # Against the delivery's own time of arrival, below.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        issued = check_times(claims, delivery.received_at, self._tolerance)
        event = event_claims(claims)
        body = signed_body(delivery.body, base64url_decode(token.split(b".")[1]), event)
        return Verified(self.name, deduplication_key(event), issued, body)
