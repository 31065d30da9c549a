"""Signatures: genuine ones to tamper with, and the many that only look like one."""

import base64
import hashlib
import hmac
import json
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

_TOKEN_SECONDS = 30.0


@dataclass(frozen=True)
class Keys:
    """Genuine key material, in a form that can be sent to another process as JSON.

    `secret` is `whsec_…`, `ed25519` 32 bytes in hex, `rsa` PEM. The `kid`s are those of the JWKS.
    """

    secret: str
    ed25519: str
    ed25519_kid: str
    rsa: str
    rsa_kid: str
    audience: str


def b64(raw: bytes) -> bytes:
    """Return base64url without padding, as tokens have it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


class Signer:
    """Signs as Gemini does (`v1`, `v1a`, `token`), and as an attacker would (`forged_…`)."""

    def __init__(self, keys: Keys, chance: random.Random) -> None:
        self.keys = keys
        self._chance = chance
        self._secret = base64.b64decode(keys.secret.removeprefix("whsec_"))
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(keys.ed25519))
        rsa = serialization.load_pem_private_key(keys.rsa.encode(), None)
        assert isinstance(rsa, RSAPrivateKey)
        self._rsa = rsa
        self._public = rsa.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._stranger = generate_private_key(65537, 2048)
        self._strangers_ed25519 = Ed25519PrivateKey.generate()
        self._tokens: dict[str, tuple[float, bytes]] = {}

    def v1(self, content: bytes, *, genuine: bool = True) -> bytes:
        """Return a `v1` entry, by a secret of somebody else's unless `genuine`."""
        key = self._secret if genuine else b"another secret, of a fair size.."
        return b"v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256))

    def v1a(self, content: bytes, *, genuine: bool = True) -> bytes:
        """Return a `v1a` entry, by a key of somebody else's unless `genuine`."""
        key = self._ed25519 if genuine else self._strangers_ed25519
        return b"v1a," + base64.b64encode(key.sign(content))

    def token(self, name: str, claims: Mapping[str, Any], *, genuine: bool = True) -> bytes:
        """Return an RS256 token; one by `name` serves for half a minute, since signing is slow."""
        made, token = self._tokens.get(name, (0.0, b""))
        if time.monotonic() - made > _TOKEN_SECONDS or not token:
            now = int(time.time())
            stamped = {"aud": self.keys.audience, "iat": now, "exp": now + 600, **claims}
            key = self._rsa if genuine else self._stranger
            payload = json.dumps(stamped).encode()
            token = jwt.PyJWS().encode(payload, key, "RS256", {"kid": self.keys.rsa_kid}).encode()
            self._tokens[name] = (time.monotonic(), token)
        return token

    def claims(self, event: Mapping[str, Any]) -> bytes:
        """Return the claims that would be accepted, if only somebody had signed them."""
        now = int(time.time())
        stamps = {"aud": self.keys.audience, "iat": now, "exp": now + 600}
        return json.dumps({**event, **stamps, "jti": secrets.token_hex(8)}).encode()

    def unsigned(self, event: Mapping[str, Any]) -> bytes:
        """Return a token with `alg` none."""
        alg = self._chance.choice(["none", "None", "nOnE", "", "NONE"])
        header = {"alg": alg, "typ": "JWT", "kid": self.keys.rsa_kid}
        signature = self._chance.choice([b"", b64(b"x" * 256)])
        return self._parts(header, self.claims(event), signature)

    def confused(self, event: Mapping[str, Any]) -> bytes:
        """Return a token with an HMAC whose key is the published RSA key."""
        alg = self._chance.choice(["HS256", "HS384", "HS512"])
        header = b64(json.dumps({"alg": alg, "kid": self.keys.rsa_kid}).encode())
        message = header + b"." + b64(self.claims(event))
        digest = getattr(hashlib, f"sha{alg[2:]}")
        return message + b"." + b64(hmac.digest(self._public, message, digest))

    def foreign(self, event: Mapping[str, Any]) -> bytes:
        """Return a token that names some other key, in one of the ways that libraries follow."""
        chance = self._chance
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self._stranger.public_key(), as_dict=True)
        header: dict[str, Any] = {"alg": "RS256", "kid": self.keys.rsa_kid}
        header |= chance.choice(
            [
                {"kid": secrets.token_hex(chance.choice([1, 20, 400]))},
                {"kid": self.keys.ed25519_kid},
                {"kid": self.keys.ed25519_kid, "alg": "EdDSA"},
                {"kid": chance.choice([None, 1, [], {}, ["a"], "../../etc/passwd", "' OR 1=1"])},
                {"jwk": jwk},
                {"jku": "http://127.0.0.1:1/jwks.json", "kid": "mine"},
                {"x5u": "http://127.0.0.1:1/x5u", "x5c": ["MIIB"]},
                {"crit": ["exp"], "exp": 1},
                {"b64": False, "crit": ["b64"]},
                {"zip": "DEF"},
                {"alg": chance.choice(["RS512", "PS256", "ES256", "rs256", 7, None, ["RS256"]])},
            ]
        )
        return self._parts(header, self.claims(event), b64(chance.randbytes(256)))

    def junk_token(self) -> bytes:
        """Return two or three segments of anything."""
        chance = self._chance
        segments = [
            b"",
            b64(b"{}"),
            b64(b"[" * chance.choice([10, 2000, 9000])),
            b64(b'{"a":' * 1000),
            b64(b'{"alg":"RS256","kid":' + b"9" * chance.choice([30, 5000]) + b"}"),
            b64(b'{"alg":"RS256","kid":"x","kid":"y"}'),
            b64(b"\xff\xfe" + chance.randbytes(40)),
            b64(b'{"alg":"\\ud800","kid":"\\udfff"}'),
            b64(b'{"alg":NaN}'),
            bytes(chance.choices(b"=+/_-%,;'\"\\{}abcXYZ019", k=chance.randrange(1, 300))),
        ]
        return b".".join(chance.choice(segments) for _ in range(3))

    def _parts(self, header: Mapping[str, Any], claims: bytes, signature: bytes) -> bytes:
        return b".".join([b64(json.dumps(header).encode()), b64(claims), signature])
