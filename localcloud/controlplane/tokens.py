"""Identity tokens in Google's form: issued, verified, and stripped as by Cloud Run."""

import functools
from collections.abc import Collection
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from localcloud.core.clock import Clock

ISSUER = "https://accounts.google.com"
STRIPPED = "SIGNATURE_REMOVED_BY_GOOGLE"
_KEY_ID = "local-cloud"


class InvalidToken(Exception):
    """A token has another issuer, has expired, or is for another audience."""


class Issuer:
    """Issues and verifies RS256 identity tokens with a key of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @functools.cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        # Made on first use, since it takes a while.
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def identity_token(self, email: str, audience: str, *, lifetime: float = 3600) -> str:
        """Return an identity token of `email` for `audience`, valid for `lifetime` seconds."""
        now = int(self._clock.time())
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "azp": email,
            "sub": str(abs(hash(email))),
            "email": email,
            "email_verified": True,
            "iat": now,
            "exp": now + int(lifetime),
        }
        return jwt.encode(claims, self._key, "RS256", headers={"kid": _KEY_ID})

    def verify(self, token: str, audiences: Collection[str]) -> dict[str, Any]:
        """Return a token's claims, or raise `InvalidToken`."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                audience=list(audiences),
                issuer=ISSUER,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise InvalidToken(str(error)) from error
        if claims["exp"] < self._clock.time():
            raise InvalidToken("the token has expired")
        return claims

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a JSON Web Key Set."""
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": _KEY_ID, "alg": "RS256", "use": "sig"}]}


def strip(token: str) -> str:
    """Return a token without its signature, as Cloud Run forwards it."""
    return f"{token.rpartition('.')[0]}.{STRIPPED}"
