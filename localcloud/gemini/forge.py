"""Forged deliveries, as an attacker or a broken proxy would send them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, get_args

import jwt

from localcloud.gemini.keys import Ed25519Key, RsaKey, new_ed25519, new_rsa
from localcloud.gemini.outgoing import Message, Request, Signers, sign, token_claims
from localcloud.gemini.settings import Scheme
from localcloud.gemini.signing import entry, new_secret

Forgery = Literal[
    "bad-signature",
    "wrong-key",
    "tampered-body",
    "old-timestamp",
    "future-timestamp",
    "unknown-version",
    "garbage-header",
    "missing-header",
    "unsigned-token",
]
FORGERIES: tuple[Forgery, ...] = get_args(Forgery)

_AN_HOUR = 3600
_VERSIONS: Mapping[Scheme, str] = {"v1": "v1", "v1a": "v1a", "jwt": "v1", "mixed": "v1"}
_SIGNATURE_BYTES: Mapping[str, int] = {"v1": 32, "v1a": 64}


def forge(
    kind: Forgery, message: Message, scheme: Scheme, timestamp: int, signers: Signers
) -> Request:
    """Return the request of a forged attempt at `timestamp`, Unix seconds."""
    shift = {"old-timestamp": -_AN_HOUR, "future-timestamp": _AN_HOUR}.get(kind, 0)
    keys = _strangers(signers) if kind == "wrong-key" else signers
    request = sign(message, scheme, timestamp + shift, keys)
    alter = _ALTERATIONS.get(kind)
    if alter is not None:
        return alter(request, scheme)
    if kind == "unsigned-token":
        token = jwt.encode(token_claims(message, timestamp), "", algorithm="none")
        return _with_signature(request, token)
    return request


def _strangers(signers: Signers) -> Signers:
    return Signers(
        secrets=[new_secret()],
        ed25519=Ed25519Key(signers.ed25519.kid, new_ed25519()),
        find_rsa=lambda: RsaKey(signers.find_rsa().kid, new_rsa()),
    )


def _with_signature(request: Request, signature: str) -> Request:
    return replace(request, headers={**request.headers, "webhook-signature": signature})


def _bad_signature(request: Request, scheme: Scheme) -> Request:
    if scheme == "jwt":
        signed, _, signature = request.headers["webhook-signature"].rpartition(".")
        return _with_signature(request, f"{signed}.{signature[::-1]}")
    version = _VERSIONS[scheme]
    return _with_signature(request, entry(version, os.urandom(_SIGNATURE_BYTES[version])))


def _tampered_body(request: Request, _scheme: Scheme) -> Request:
    return replace(request, body=request.body.replace(b'"data"', b'"Data"', 1) + b" ")


def _unknown_version(request: Request, _scheme: Scheme) -> Request:
    return _with_signature(request, entry("v9", os.urandom(32)))


def _garbage_header(request: Request, _scheme: Scheme) -> Request:
    return _with_signature(request, "v1 ,, v1, v1a,%%% =,= ..")


def _missing_header(request: Request, _scheme: Scheme) -> Request:
    kept = {name: text for name, text in request.headers.items() if name != "webhook-signature"}
    return replace(request, headers=kept)


_ALTERATIONS: Mapping[Forgery, Callable[[Request, Scheme], Request]] = {
    "bad-signature": _bad_signature,
    "tampered-body": _tampered_body,
    "unknown-version": _unknown_version,
    "garbage-header": _garbage_header,
    "missing-header": _missing_header,
}
