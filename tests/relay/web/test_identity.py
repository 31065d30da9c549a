import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.environment import Environment
from relay.errors import ConfigurationError, Refused, Unavailable
from relay.keys.keyset import KeySet
from relay.keys.source import FixedKeys
from relay.web.identity import (
    STRIPPED,
    Headers,
    Identity,
    IdentityCheck,
    create_identity_check,
)
from tests.support.serving import serving

AUDIENCE = "https://dispatch.example"
EMAIL = "push@my-project.iam.gserviceaccount.com"
NOW = 1_800_000_000.0
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS = {
    "iss": "https://accounts.google.com",
    "aud": AUDIENCE,
    "azp": "113774264463038321964",
    "email": EMAIL,
    "email_verified": True,
    "sub": "113774264463038321964",
    "iat": NOW - 10,
    "exp": NOW + 3590,
}


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**public, "kid": kid, "alg": "RS256", "use": "sig"}


def key_set(**keys: rsa.RSAPrivateKey) -> KeySet:
    found = KeySet()
    found.rsa = {kid: jwt.PyJWK(jwk(key, kid)) for kid, key in keys.items()}
    return found


def token(
    claims: Mapping[str, Any] = MappingProxyType({}),
    key: rsa.RSAPrivateKey = KEY,
    kid: str | None = "k1",
) -> str:
    headers = {"kid": kid} if kid else {}
    payload = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    # Not `jwt.encode`, which refuses some of the claims that an attacker would not.
    return jwt.PyJWS().encode(json.dumps(payload).encode(), key, "RS256", headers)


def stripped(whole: str) -> str:
    return f"{whole.rpartition('.')[0]}.{STRIPPED}"


def check_with(
    keys: Any = None, *, emails: tuple[str, ...] = (), trust_stripped: bool = False
) -> IdentityCheck:
    return IdentityCheck(
        [AUDIENCE],
        emails,
        keys or FixedKeys(key_set(k1=KEY)),
        trust_stripped=trust_stripped,
        now=lambda: NOW,
    )


def sent(authorization: str, name: bytes = b"authorization") -> Headers:
    return [(b"host", b"relay"), (name, authorization.encode("utf-8", "surrogatepass"))]


async def status_of(check: IdentityCheck, authorization: str | Headers) -> int:
    headers = sent(authorization) if isinstance(authorization, str) else authorization
    try:
        await check.check(headers)
    except Refused as refused:
        return refused.status
    return 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_valid_token(scheme: str) -> None:
    identity = await check_with().check(sent(f"{scheme} {token()}"))
    assert identity == Identity(EMAIL, AUDIENCE)


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
async def test_google_names_itself_in_two_ways(issuer: str) -> None:
    assert await status_of(check_with(), f"Bearer {token({'iss': issuer})}") == 200


WRONG_CLAIMS: list[Mapping[str, Any]] = [
    {"iss": "https://accounts.evil.example"},
    {"iss": ...},
    {"iss": ["https://accounts.google.com"]},
    {"aud": "https://other.example"},
    {"aud": ...},
    {"aud": [AUDIENCE]},
    {"exp": NOW - 61},
    {"exp": ...},
    {"exp": "never"},
    {"exp": True},
    {"exp": float("inf")},
    {"exp": 10**400},
    {"iat": NOW + 61},
    {"iat": ...},
    {"email": ...},
    {"email": 7},
    {"email_verified": False},
    {"email_verified": "true"},
    {"email_verified": ...},
]


@pytest.mark.parametrize("trust_stripped", [False, True], ids=["whole", "stripped"])
@pytest.mark.parametrize("claims", WRONG_CLAIMS, ids=str)
async def test_wrong_claims(claims: Mapping[str, Any], *, trust_stripped: bool) -> None:
    wrong = stripped(token(claims)) if trust_stripped else token(claims)
    assert await status_of(check_with(trust_stripped=trust_stripped), f"Bearer {wrong}") == 401


async def test_clocks_may_differ_a_little() -> None:
    assert (
        await status_of(check_with(), f"Bearer {token({'exp': NOW - 59, 'iat': NOW + 59})}") == 200
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {token()}",
        token(),
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer é.é.é",
        f"Bearer {token()}x",
        f"Bearer {token()[:-8]}",
        f"Bearer {token(key=OTHER_KEY)}",
        f"Bearer {token(kid='unknown')}",
        f"Bearer {token(kid=None)}",
        f"Bearer {'x' * 20_000}",
        f"Bearer {jwt.encode(CLAIMS, 'k' * 32, algorithm='HS256', headers={'kid': 'k1'})}",
        f"Bearer {jwt.PyJWS().encode(b'{}', '', 'none', {'kid': 'k1'})}",
        f"Bearer {stripped(token())}",
        f"Bearer {token()}.{STRIPPED}",
    ],
    ids=lambda text: text[:12] or "empty",
)
async def test_no_valid_token(authorization: str) -> None:
    assert await status_of(check_with(), authorization) == 401


async def test_on_the_platform_a_stripped_token_is_taken_as_read() -> None:
    check = check_with(trust_stripped=True)
    assert await check.check(sent(f"Bearer {stripped(token())}")) == Identity(EMAIL, AUDIENCE)


async def test_on_the_platform_a_signature_that_is_there_counts() -> None:
    check = check_with(trust_stripped=True)
    assert await status_of(check, f"Bearer {token(key=OTHER_KEY)}") == 401


@pytest.mark.parametrize("payload", [b"[]", b"7", b"{", b"\xff", b"[" * 5000])
async def test_a_stripped_token_may_hold_anything(payload: bytes) -> None:
    head, _, _ = token().partition(".")
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    check = check_with(trust_stripped=True)
    assert await status_of(check, f"Bearer {head}.{body}.{STRIPPED}") == 401


async def test_a_caller_who_is_not_on_the_list_may_not() -> None:
    bearer = f"Bearer {token()}"
    assert await status_of(check_with(emails=("other@x", EMAIL)), bearer) == 200
    assert await status_of(check_with(emails=("other@x",)), bearer) == 403


SERVERLESS = b"x-serverless-authorization"


async def test_the_header_that_cloud_run_judges_is_the_one_that_is_read() -> None:
    judged = stripped(token({"email": "judged@x"}))
    forged = stripped(token({"email": "forged@x"}))
    for headers in (
        [*sent(f"Bearer {judged}", SERVERLESS), *sent(f"Bearer {forged}")],
        [*sent(f"Bearer {forged}"), *sent(f"Bearer {judged}", SERVERLESS)],
    ):
        identity = await check_with(trust_stripped=True).check(headers)
        assert identity.email == "judged@x"


@pytest.mark.parametrize("judged", ["", "Bearer", "Bearer a.b.c", "Basic eA=="])
async def test_a_bad_token_where_cloud_run_looks_is_not_made_good_elsewhere(judged: str) -> None:
    headers = [*sent(judged, SERVERLESS), *sent(f"Bearer {stripped(token())}")]
    assert await status_of(check_with(trust_stripped=True), headers) == 401


@pytest.mark.parametrize("name", [SERVERLESS, b"authorization"])
async def test_an_identity_token_that_is_sent_twice_is_refused(name: bytes) -> None:
    bearer = f"Bearer {token()}"
    one = [*sent(bearer, SERVERLESS), *sent(bearer)]
    assert await status_of(check_with(), one) == 200
    assert await status_of(check_with(), [*one, *sent(bearer, name)]) == 401


async def test_the_case_of_an_address_does_not_matter() -> None:
    check = check_with(emails=("Push@My-Project.iam.gserviceaccount.com",))
    assert await status_of(check, f"Bearer {token()}") == 200


async def test_an_address_in_other_letters_is_another_address() -> None:
    # The Kelvin sign, which becomes a k in lower case.
    other = token({"email": "push@\N{KELVIN SIGN}it.iam.gserviceaccount.com"})
    check = check_with(emails=("push@kit.iam.gserviceaccount.com",))
    assert await status_of(check, f"Bearer {other}") == 401


class Rotated:
    """Keys that change once asked for newer ones."""

    def __init__(self, newer: KeySet | None) -> None:
        self._newer = newer

    def fresh(self) -> KeySet | None:
        return key_set(k0=OTHER_KEY)

    async def current(self) -> KeySet:
        return key_set(k0=OTHER_KEY)

    async def newer(self, _seen: KeySet) -> KeySet | None:
        return self._newer


@pytest.mark.parametrize(
    ("newer", "status"), [(key_set(k1=KEY), 200), (key_set(k2=KEY), 401), (None, 401)]
)
async def test_an_unknown_key_is_looked_for_among_newer_ones(
    newer: KeySet | None, status: int
) -> None:
    assert await status_of(check_with(Rotated(newer)), f"Bearer {token()}") == status


Make = Callable[[Mapping[str, str]], IdentityCheck | None]


def from_environment(**values: str) -> IdentityCheck | None:
    return create_identity_check(Environment(values))


def test_without_an_audience_nothing_is_checked() -> None:
    assert from_environment() is None


def test_a_list_of_emails_without_an_audience_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="OIDC_AUDIENCE is not set, though OIDC_EMAILS"):
        from_environment(OIDC_EMAILS=EMAIL)


@pytest.fixture
async def issuer() -> AsyncIterator[str]:
    async def keys(_request: Request) -> Response:
        return JSONResponse({"keys": [jwk(KEY, "k1")]})

    async with serving(Starlette(routes=[Route("/keys", keys)])) as url:
        yield f"{url}/keys"


async def test_keys_come_from_the_issuer(issuer: str) -> None:
    check = from_environment(OIDC_AUDIENCE=f"https://x, {AUDIENCE}", OIDC_JWKS_URI=issuer)
    assert check is not None
    current = {"iat": time.time(), "exp": time.time() + 3600}
    assert (await check.check(sent(f"Bearer {token(current)}"))).email == EMAIL
    assert await status_of(check, f"Bearer {token(current, OTHER_KEY)}") == 401
    assert await status_of(check, f"Bearer {stripped(token(current))}") == 401


async def test_on_cloud_run_no_keys_are_needed() -> None:
    check = from_environment(
        OIDC_AUDIENCE=AUDIENCE, K_SERVICE="dispatch", OIDC_JWKS_URI="https://-"
    )
    assert check is not None
    current = {"iat": time.time(), "exp": time.time() + 3600}
    assert await status_of(check, f"Bearer {stripped(token(current))}") == 200


@pytest.mark.parametrize("uri", ["ftp://x", "http://keys.example.com/", "keys.json"])
def test_the_issuers_keys_come_over_https_alone(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^OIDC_JWKS_URI is not an https URI"):
        from_environment(OIDC_AUDIENCE=AUDIENCE, OIDC_JWKS_URI=uri)


async def test_keys_that_cannot_be_had_are_not_a_refusal() -> None:
    check = from_environment(OIDC_AUDIENCE=AUDIENCE, OIDC_JWKS_URI="http://127.0.0.1:1/keys")
    assert check is not None
    with pytest.raises(Unavailable):
        await check.check(sent(f"Bearer {token()}"))


segments = st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())


@given(
    authorization=st.text()
    | st.lists(segments, max_size=4).map(lambda parts: f"Bearer {'.'.join(parts)}")
    | st.lists(segments, max_size=2).map(lambda parts: f"Bearer {'.'.join(parts)}.{STRIPPED}")
    | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64"]), st.text() | st.none())
    .map(lambda header: base64.urlsafe_b64encode(json.dumps(header).encode()).decode())
    .map(lambda head: f"Bearer {head}.e30.e30")
)
async def test_any_header_is_answered_as_designed(authorization: str) -> None:
    for trust_stripped in (False, True):
        assert await status_of(check_with(trust_stripped=trust_stripped), authorization) == 401
