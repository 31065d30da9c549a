"""The public keys behind dynamic webhooks: several Ed25519 keys and one for RSA, published as JWKS.

https://www.rfc-editor.org/rfc/rfc7517 and https://www.rfc-editor.org/rfc/rfc8037
"""

import base64
import secrets
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

KeyType = Literal["OKP", "RSA"]

_KEPT_RSA_KEYS = 2


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _integer(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def new_ed25519() -> Ed25519PrivateKey:
    """Return a new key for `v1a`."""
    return Ed25519PrivateKey.generate()


def new_rsa() -> RSAPrivateKey:
    """Return a new key for JWT."""
    return generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Ed25519Key:
    """A key for `v1a` and the id under which it is published."""

    kid: str
    private: Ed25519PrivateKey

    def jwk(self) -> dict[str, str]:
        """Return the public half as a JWK."""
        public = _base64url(self.private.public_key().public_bytes_raw())
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "use": "sig", "x": public}


@dataclass(frozen=True)
class RsaKey:
    """A key for JWT and the id under which it is published."""

    kid: str
    private: RSAPrivateKey

    def jwk(self) -> dict[str, str]:
        """Return the public half as a JWK."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "alg": "RS256",
            "kid": self.kid,
            "use": "sig",
            "n": _integer(numbers.n),
            "e": _integer(numbers.e),
        }


class KeyRing:
    """The keys in use, newest first. The newest Ed25519 key and the newest RSA key sign."""

    def __init__(self, ed25519_keys: int) -> None:
        self._size = max(1, ed25519_keys)
        self._okp = [Ed25519Key(_kid(), new_ed25519()) for _ in range(self._size)]
        self._rsa_keys: list[RsaKey] = []

    @property
    def ed25519(self) -> Ed25519Key:
        """The key that signs `v1a` now."""
        return self._okp[0]

    @property
    def _rsa(self) -> list[RsaKey]:
        # Made when first asked for: it takes a while, and most tests do without.
        if not self._rsa_keys:
            self._rsa_keys = [RsaKey(_kid(), new_rsa())]
        return self._rsa_keys

    @property
    def rsa(self) -> RsaKey:
        """The key that signs tokens now."""
        return self._rsa[0]

    def rotate(self, kind: KeyType, *, retire_others: bool = False) -> str:
        """Sign with a new key from now on, and return its id.

        The older keys stay published, up to the number kept, unless `retire_others`.
        """
        kept = 0 if retire_others else None
        if kind == "OKP":
            okp = Ed25519Key(_kid(), new_ed25519())
            self._okp = [okp, *self._okp[:kept]][: self._size]
            return okp.kid
        rsa = RsaKey(_kid(), new_rsa())
        self._rsa_keys = [rsa, *self._rsa[:kept]][:_KEPT_RSA_KEYS]
        return rsa.kid

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the published keys; the Ed25519 key that signs is deliberately not the first."""
        ed25519, rsa = reversed(self._okp), self._rsa
        return {"keys": [*(key.jwk() for key in ed25519), *(key.jwk() for key in rsa)]}


def _kid() -> str:
    return secrets.token_hex(20)
