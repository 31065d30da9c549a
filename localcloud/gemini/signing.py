"""The signatures of a delivery, made the way Gemini makes them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_PREFIX = "whsec_"


def new_secret() -> str:
    """Return a new signing secret, `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_bytes(webhook_id: str, timestamp: int, body: bytes) -> bytes:
    """Return what `v1` and `v1a` sign."""
    return f"{webhook_id}.{timestamp}.".encode() + body


def entry(version: str, signature: bytes) -> str:
    """Return one entry of the `webhook-signature` header."""
    return f"{version},{base64.b64encode(signature).decode()}"


def sign_v1(secret: str, message: bytes) -> str:
    """Return the HMAC-SHA256 entry for one `whsec_` secret."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return entry("v1", hmac.new(key, message, hashlib.sha256).digest())


def sign_v1_all(active: Sequence[str], message: bytes) -> str:
    """Return one `v1` entry for each active secret, space-separated."""
    return " ".join(sign_v1(secret, message) for secret in active)


def sign_v1a(key: Ed25519PrivateKey, message: bytes) -> str:
    """Return the Ed25519 entry."""
    return entry("v1a", key.sign(message))


def sign_jwt(key: RSAPrivateKey, kid: str, claims: dict[str, Any]) -> str:
    """Return a compact JWT, RS256."""
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def event_claims(body: bytes) -> dict[str, Any]:
    """Return the event of a body, as the claims of a token hold it.

    Raises `ValueError` where the body is not a JSON object: a token cannot carry that.
    """
    claims = json.loads(body)
    if not isinstance(claims, dict):
        raise ValueError("a JWT can only announce an event that is a JSON object")
    return claims
