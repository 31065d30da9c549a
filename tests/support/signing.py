"""The reference signer: what Gemini does, by the libraries that others would use."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from standardwebhooks import Webhook

from relay.receiver.delivery import Delivery

NOW = 1_800_000_000
EVENT: dict[str, Any] = {
    "type": "batch.succeeded",
    "version": "v1",
    "data": {"id": "batch_123456", "ratio": 0.5, "flags": [True, 1, None]},
}
BODY = json.dumps(EVENT).encode()
AUDIENCE = "https://hooks.example.com/"

Headers = dict[str, str]


def secret(seed: int = 0) -> str:
    """A signing secret, the same for the same seed."""
    return "whsec_" + base64.b64encode(bytes([seed]) * 32).decode()


def ed25519_key(seed: int = 0) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


# Generating one takes long enough to do it once.
RSA_KEY = generate_private_key(65537, 2048)
OTHER_RSA_KEY = generate_private_key(65537, 2048)


def v1(
    body: bytes = BODY, *, seed: int = 0, webhook_id: str = "msg_1", timestamp: int = NOW
) -> str:
    moment = datetime.fromtimestamp(timestamp, UTC)
    return Webhook(secret(seed)).sign(webhook_id, moment, body.decode())


def v1a(
    body: bytes = BODY, *, seed: int = 0, webhook_id: str = "msg_1", timestamp: int = NOW
) -> str:
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1a," + base64.b64encode(ed25519_key(seed).sign(signed)).decode()


def claims(**changes: Any) -> dict[str, Any]:
    """An event's claims; a change to None leaves a claim out."""
    all_claims = {**EVENT, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 600, "jti": "evt_1", **changes}
    return {name: value for name, value in all_claims.items() if value is not None}


def token(
    payload: Mapping[str, Any] | None = None,
    *,
    key: RSAPrivateKey = RSA_KEY,
    kid: str | None = "rsa-1",
    **headers: Any,
) -> str:
    named = {} if kid is None else {"kid": kid}
    return jwt.encode(
        dict(claims() if payload is None else payload),
        key,
        algorithm="RS256",
        headers={**named, **headers},
    )


def ed25519_jwk(seed: int = 0, **changes: Any) -> dict[str, Any]:
    public = ed25519_key(seed).public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "kid": f"ed-{seed}", "x": x, **changes}


def rsa_jwk(key: RSAPrivateKey = RSA_KEY, **changes: Any) -> dict[str, Any]:
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops")
    return {**jwk, "kid": "rsa-1", "alg": "RS256", "use": "sig", **changes}


def jwks(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


def headers(
    signature: str | None = None, *, webhook_id: str = "msg_1", timestamp: int | str = NOW
) -> Headers:
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": v1() if signature is None else signature,
    }


def raw(named: Mapping[str, str | bytes]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI passes them."""
    return [
        (name.encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in named.items()
    ]


def delivery(
    signature: str | None = None,
    body: bytes = BODY,
    *,
    received_at: float = NOW,
    webhook_id: str = "msg_1",
    timestamp: int = NOW,
) -> Delivery:
    named = headers(signature, webhook_id=webhook_id, timestamp=timestamp)
    return Delivery.parse(raw(named), body, received_at)
