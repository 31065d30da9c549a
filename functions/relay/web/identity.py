"""Who calls: the identity token that Pub/Sub, Cloud Scheduler and people send, checked once more.

Cloud Run checks the token before a request reaches the function, and then replaces its signature
by `SIGNATURE_REMOVED_BY_GOOGLE`. It judges `X-Serverless-Authorization` where that is sent, and
passes `Authorization` on untouched; so the same header is read here.

A stripped token proves who called only where Cloud Run must have checked it. A service that is
opened to `allUsers` is not such a place: Cloud Run then checks no token and strips none, and
whoever writes one by hand may be anybody. Nothing in a request tells the function which it is, so
the check is a second look behind IAM, not a replacement for it.

https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
https://cloud.google.com/run/docs/authenticating/service-to-service
https://cloud.google.com/run/docs/troubleshooting#signature-removed
"""

import importlib
import json
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from relay.environment import Environment
from relay.errors import ConfigurationError, Refused
from relay.keys.cache import KeyCache
from relay.keys.jwks import JWKS_PACE, JwksLoader
from relay.keys.keyset import KeySet
from relay.keys.source import KeySource

GOOGLE_CERTS_URI = "https://www.googleapis.com/oauth2/v3/certs"
ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
STRIPPED = "SIGNATURE_REMOVED_BY_GOOGLE"

# In the order in which Cloud Run judges them; it looks at one alone.
_HEADERS = (b"x-serverless-authorization", b"authorization")
_LONGEST_TOKEN = 16_384
# What clocks may differ by.
_LEEWAY_SECONDS = 60.0

# PyJWT documents the first and lets others through; LookupError is a claim that is not there.
_REJECTIONS = (
    jwt.PyJWTError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    RecursionError,
)
_JWS = jwt.PyJWS()


Headers = Sequence[tuple[bytes, bytes]]
"""A request's headers as ASGI has them, names in lower case."""


@dataclass(frozen=True)
class Identity:
    """Who a valid token stands for, and whom it was meant for."""

    email: str
    audience: str


class IdentityCheck:
    """Checks bearer tokens for `audiences`, of `emails` only unless that is empty.

    A token without signature is taken as read only if `trust_stripped`: on the platform, which has
    verified it and then removed the signature. `now` returns Unix seconds.
    """

    def __init__(
        self,
        audiences: Collection[str],
        emails: Collection[str],
        keys: KeySource[KeySet],
        *,
        trust_stripped: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._audiences = frozenset(audiences)
        self._emails = frozenset(map(str.lower, emails))
        self._keys = keys
        self._trust_stripped = trust_stripped
        self._now = now

    async def check(self, headers: Headers) -> Identity:
        """Return who sent a request with these headers.

        Raises `Refused`: 401 without a valid token, or with more than one in the header that Cloud
        Run judges or in the other; 403 for a caller who is not on the list; and `Unavailable` when
        the keys to verify it with cannot be had.
        """
        scheme, _, token = _authorization(headers).partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            raise Refused(401, "no-identity-token")
        try:
            identity = self._identity(await self._claims(token.strip()))
        except _REJECTIONS:
            raise Refused(401, "identity-token") from None
        if self._emails and identity.email.lower() not in self._emails:
            raise Refused(403, "identity-not-allowed")
        return identity

    async def _claims(self, token: str) -> Mapping[str, Any]:
        if token.endswith(f".{STRIPPED}"):
            if not self._trust_stripped:
                raise jwt.InvalidSignatureError
            return _decoded(token, None)
        header = jwt.get_unverified_header(token)
        if header.get("alg") != "RS256":
            raise jwt.InvalidAlgorithmError
        return _decoded(token, await self._key(header.get("kid")))

    async def _key(self, kid: object) -> jwt.PyJWK:
        if not isinstance(kid, str):
            raise jwt.InvalidKeyError
        keys: KeySet | None = await self._keys.current()
        if keys is not None and kid not in keys.rsa:
            keys = await self._keys.newer(keys)
        if keys is None or kid not in keys.rsa:
            raise jwt.InvalidKeyError
        return keys.rsa[kid]

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        if not _seconds(claims["exp"]) > self._now() - _LEEWAY_SECONDS:
            raise jwt.ExpiredSignatureError
        if not _seconds(claims["iat"]) < self._now() + _LEEWAY_SECONDS:
            raise jwt.ImmatureSignatureError
        if claims["iss"] not in ISSUERS:
            raise jwt.InvalidIssuerError
        if claims["aud"] not in self._audiences:
            raise jwt.InvalidAudienceError
        email = claims["email"]
        if not isinstance(email, str) or claims["email_verified"] is not True:
            raise jwt.InvalidTokenError
        if not email.isascii():
            # Lower case makes a K of the Kelvin sign: another address, which would pass for one
            # on the list.
            raise jwt.InvalidTokenError
        return Identity(email, claims["aud"])


def create_identity_check(environment: Environment) -> IdentityCheck | None:
    """Return the check that an environment asks for; None where `OIDC_AUDIENCE` is not set.

    `OIDC_AUDIENCE` and `OIDC_EMAILS` are comma-separated lists. `OIDC_JWKS_URI` names the issuer's
    keys, Google's by default. Raises `ConfigurationError`.
    """
    audiences = environment.items("OIDC_AUDIENCE")
    emails = environment.items("OIDC_EMAILS")
    if not audiences:
        if emails:
            problem = "is not set, though OIDC_EMAILS is: nothing would be checked"
            raise ConfigurationError("OIDC_AUDIENCE", problem, example="https://dispatch.example")
        return None
    # The loader's own import, ahead of time: a load has seconds, and this may take one.
    importlib.import_module("httpx2")
    loader = JwksLoader(environment.https_uri("OIDC_JWKS_URI", GOOGLE_CERTS_URI), rsa=True)
    keys = KeyCache("identity-keys", loader, JWKS_PACE, time.monotonic)
    # Set by Cloud Run and by nothing else:
    # https://cloud.google.com/run/docs/container-contract#services-env-vars
    on_platform = bool(environment.text("K_SERVICE"))
    return IdentityCheck(audiences, emails, keys, trust_stripped=on_platform)


def _authorization(headers: Headers) -> str:
    found = [[value for name, value in headers if name == wanted] for wanted in _HEADERS]
    if any(len(values) > 1 for values in found):
        raise Refused(401, "repeated-identity-token")
    return next((values[0].decode("latin-1") for values in found if values), "")


def _decoded(token: str, key: jwt.PyJWK | None) -> Mapping[str, Any]:
    # The claims are checked once, in one place, whether or not there was a signature to verify.
    if key is None:
        payload = _JWS.decode(token, options={"verify_signature": False})
    else:
        payload = _JWS.decode(token, key, algorithms=["RS256"])
    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise jwt.DecodeError
    return claims


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise jwt.DecodeError
    return value
