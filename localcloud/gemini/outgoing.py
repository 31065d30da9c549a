"""One attempt's request: the headers and body that Gemini would send for an event, signed."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.gemini.keys import Ed25519Key, RsaKey
from localcloud.gemini.settings import Scheme
from localcloud.gemini.signing import entry, sign_jwt, sign_v1_all, sign_v1a, signed_bytes

# https://www.rfc-editor.org/rfc/rfc7519#section-4.1
_ABOUT_THE_TOKEN = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})


@dataclass(frozen=True)
class Message:
    """What a delivery says; the same for all of its attempts.

    `claims` is the event as a token would hold it, with `iss` and `aud`; None where the body is no
    event that a token could carry.
    """

    webhook_id: str
    body: bytes
    claims: Mapping[str, Any] | None
    token_lifetime_seconds: int
    token_id: bool

    @property
    def subject(self) -> str:
        """The id of the job or file that the body is about; empty if it says none."""
        try:
            data = json.loads(self.body)["data"]
            return str(data.get("id") or data.get("file_id") or data.get("file_name") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            return ""

    @property
    def event_id(self) -> str:
        """The id that a receiver can trust: a token signs no `webhook-id`, but the event."""
        return self.webhook_id if self.claims is None else token_event_id(self.claims)


@dataclass(frozen=True)
class Signers:
    """What signs: a webhook's active secrets, newest first, and Gemini's own keys."""

    secrets: Sequence[str]
    ed25519: Ed25519Key
    find_rsa: Callable[[], RsaKey]


@dataclass(frozen=True)
class Request:
    """What is posted to the endpoint."""

    headers: Mapping[str, str]
    body: bytes


def sign(message: Message, scheme: Scheme, timestamp: int, signers: Signers) -> Request:
    """Return the request of an attempt made at `timestamp`, Unix seconds."""
    headers = {
        "content-type": "application/json",
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": _signature(message, scheme, timestamp, signers),
    }
    return Request(headers, message.body)


def _signature(message: Message, scheme: Scheme, timestamp: int, signers: Signers) -> str:
    if scheme == "jwt":
        rsa = signers.find_rsa()
        return sign_jwt(rsa.private, rsa.kid, token_claims(message, timestamp))
    content = signed_bytes(message.webhook_id, timestamp, message.body)
    if scheme == "v1":
        return sign_v1_all(signers.secrets, content)
    asymmetric = sign_v1a(signers.ed25519.private, content)
    if scheme == "v1a":
        return asymmetric
    unknown = entry("v2", os.urandom(32))
    return " ".join(filter(None, (unknown, sign_v1_all(signers.secrets, content), asymmetric)))


def token_event_id(claims: Mapping[str, Any]) -> str:
    """Return the digest of the event in a token's claims, without what is about the token."""
    event = {name: value for name, value in claims.items() if name not in _ABOUT_THE_TOKEN}
    text = json.dumps(event, separators=(",", ":"), sort_keys=True)
    return f"sha256-{hashlib.sha256(text.encode()).hexdigest()}"


def token_claims(message: Message, timestamp: int) -> dict[str, Any]:
    """Return all claims of an attempt's token."""
    claims = dict(message.claims or {})
    claims |= {"iat": timestamp, "exp": timestamp + message.token_lifetime_seconds}
    if message.token_id:
        claims["jti"] = message.webhook_id
    return claims
