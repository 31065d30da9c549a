"""The public keys of a JSON Web Key Set (RFC 7517) that the relay may use, and no others."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    import jwt

MAX_KEYS = 16
"""Of each kind: every Ed25519 key may have to be tried for a delivery."""

_URLSAFE = re.compile(r"[A-Za-z0-9_-]+")


class KeySet:
    """The usable keys: Ed25519 ones, which are tried in turn, and RSA ones by their `kid`."""

    def __init__(self) -> None:
        self.ed25519: list[Ed25519PublicKey] = []
        self.rsa: dict[str, jwt.PyJWK] = {}

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` is one of the Ed25519 keys' over `message`."""
        for position, key in enumerate(self.ed25519):
            try:
                key.verify(signature, message)
            except InvalidSignature:
                continue
            # The next delivery is most likely signed with the same key.
            self.ed25519.insert(0, self.ed25519.pop(position))
            return True
        return False


def parse_key_set(document: bytes, *, rsa: bool) -> KeySet:
    """Return the keys in `document` that the relay can use; RSA ones only if `rsa`.

    An algorithm belongs to a key's type: OKP keys serve Ed25519 alone, RSA keys RS256 alone. A key
    that says it is for something else, or is malformed, private or short, is skipped. Raises
    `ValueError` for a document that is no key set, or that holds nothing usable.
    """
    keys = KeySet()
    for jwk in _public_keys(document):
        if jwk.get("kty") == "OKP":
            _add_ed25519(keys, jwk)
        elif jwk.get("kty") == "RSA" and rsa:
            _add_rsa(keys, jwk)
    if not keys.ed25519 and not keys.rsa:
        raise ValueError("no usable key in the set")
    return keys


def _public_keys(document: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        parsed = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a key set")
    for entry in entries:
        if isinstance(entry, dict) and entry.get("use") in (None, "sig") and "d" not in entry:
            yield entry


def _add_ed25519(keys: KeySet, jwk: Mapping[str, Any]) -> None:
    # RFC 9864 names the algorithm Ed25519, RFC 8037 EdDSA; Google's keys were seen with either.
    if jwk.get("crv") != "Ed25519" or jwk.get("alg") not in (None, "EdDSA", "Ed25519"):
        return
    try:
        key = Ed25519PublicKey.from_public_bytes(_decode(jwk.get("x")))
    except ValueError:
        return
    if key not in keys.ed25519 and len(keys.ed25519) < MAX_KEYS:
        keys.ed25519.append(key)


def _decode(text: object) -> bytes:
    # base64url without padding (RFC 7515, section 2). The decoder itself would skip any junk.
    if not isinstance(text, str) or not _URLSAFE.fullmatch(text):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _add_rsa(keys: KeySet, jwk: Mapping[str, Any]) -> None:
    import jwt
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    kid = jwk.get("kid")
    if not isinstance(kid, str) or jwk.get("alg") not in (None, "RS256"):
        return
    try:
        key = jwt.PyJWK(dict(jwk), algorithm="RS256")
    except (jwt.PyJWTError, TypeError, ValueError, OverflowError):
        return
    usable = isinstance(key.key, RSAPublicKey) and 2048 <= key.key.key_size <= 8192
    if usable and len(keys.rsa) < MAX_KEYS:
        keys.rsa.setdefault(kid, key)
