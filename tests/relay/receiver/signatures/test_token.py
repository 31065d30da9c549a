import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.keys.keyset import parse_key_set
from relay.receiver.signatures import Outcome, Verified
from relay.receiver.signatures.token import TokenScheme
from relay.receiver.signatures.token_claims import deduplication_key
from tests.support.signing import (
    AUDIENCE,
    BODY,
    EVENT,
    NOW,
    OTHER_RSA_KEY,
    RSA_KEY,
    claims,
    delivery,
    ed25519_jwk,
    ed25519_key,
    jwks,
    rsa_jwk,
    token,
)

KEYS = parse_key_set(jwks(ed25519_jwk(), rsa_jwk()), rsa=True)
SCHEME = TokenScheme(("my-project", AUDIENCE), 300)


def verify(*tokens: str, body: bytes = BODY, received_at: float = NOW) -> Verified | Outcome:
    arrived = delivery("x", body, received_at=received_at)
    return SCHEME.verify(arrived, [text.encode() for text in tokens], KEYS)


def segment(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def test_identity_time_and_event_come_from_the_claims() -> None:
    assert verify(token(claims(iat=NOW - 7))) == Verified(
        "jwt", deduplication_key(EVENT), NOW - 7, BODY
    )


def test_an_empty_body_stands_for_the_claims() -> None:
    found = verify(token(), body=b"")
    assert isinstance(found, Verified)
    assert json.loads(found.body) == json.loads(BODY)


@pytest.mark.parametrize("audience", ["my-project", AUDIENCE, ["other", AUDIENCE]])
def test_any_configured_audience(audience: Any) -> None:
    assert isinstance(verify(token(claims(aud=audience))), Verified)


@pytest.mark.parametrize("audience", [None, "", "other", [], ["other"], [7, AUDIENCE], 7, {"a": 1}])
def test_no_other_audience(audience: Any) -> None:
    assert verify(token(claims(aud=audience))) is Outcome.INVALID


@pytest.mark.parametrize("claim", ["exp", "iat", "type"])
def test_a_claim_that_must_be_there(claim: str) -> None:
    assert verify(token(claims(**{claim: None}))) is Outcome.INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": NOW - 301},
        {"iat": NOW + 301},
        {"exp": NOW - 1},
        {"iat": 10**400},
        {"exp": "never"},
        {"jti": 7},
        {"sub": 7},
        {"value": float("nan")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_claims_that_refuse_a_token(changes: dict[str, Any]) -> None:
    assert verify(token(claims(**changes))) is Outcome.INVALID


def test_freshness_is_that_of_the_arrival() -> None:
    assert verify(token(), received_at=NOW + 301) is Outcome.INVALID
    assert verify(token(), received_at=NOW - 301) is Outcome.INVALID


def test_a_body_that_disagrees_is_refused() -> None:
    assert verify(token(), body=b"{}") is Outcome.INVALID
    assert verify(token(), body=b"[" * 50_000) is Outcome.INVALID
    assert verify(token(), body=b'{"type":' + b"9" * 10_000 + b"}") is Outcome.INVALID


def test_a_token_of_a_key_that_is_not_known() -> None:
    assert verify(token(kid="rsa-9")) is Outcome.UNKNOWN_KEY


def test_a_forged_token_of_a_key_that_is_known() -> None:
    assert verify(token(key=OTHER_RSA_KEY)) is Outcome.INVALID


def test_a_token_that_names_no_key() -> None:
    assert verify(token(kid=None)) is Outcome.INVALID


def test_a_token_that_names_an_ed25519_key() -> None:
    assert verify(token(kid="ed-0")) is Outcome.UNKNOWN_KEY
    signed = jwt.encode(claims(), ed25519_key(), algorithm="EdDSA", headers={"kid": "ed-0"})
    assert verify(signed) is Outcome.INVALID


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"])
def test_the_token_does_not_choose_its_algorithm(algorithm: str) -> None:
    signed = jwt.encode(claims(), RSA_KEY, algorithm=algorithm, headers={"kid": "rsa-1"})
    assert verify(signed) is Outcome.INVALID


def test_neither_none_nor_the_public_key_as_a_secret() -> None:
    unsigned = jwt.encode(claims(), "", algorithm="none", headers={"kid": "rsa-1"})
    assert verify(unsigned) is Outcome.INVALID
    secret = rsa_jwk()["n"]
    symmetric = jwt.encode(claims(), secret, algorithm="HS256", headers={"kid": "rsa-1"})
    assert verify(symmetric) is Outcome.INVALID


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "RS256", "kid": "rsa-1", "crit": ["x"], "x": 1},
        {"alg": "RS256", "kid": "rsa-1", "b64": False, "crit": ["b64"]},
        {"alg": ["RS256"], "kid": "rsa-1"},
        {"alg": "RS256", "kid": ["rsa-1"]},
        {"alg": "RS256", "kid": None},
        {"kid": "rsa-1"},
        [],
        7,
        b"",
        b"\xff",
        b"[" * 6000,
        b"9" * 6000,
        b'{"alg":"RS256","kid":"rsa-1","x":NaN}',
    ],
    ids=str,
)
def test_hostile_headers(header: Any) -> None:
    forged = f"{segment(header)}.{segment(claims())}.{segment(b'x' * 256)}"
    assert verify(forged) is Outcome.INVALID


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"\xff", b"[" * 5000, b"9" * 5000, b"null"])
def test_hostile_payloads_even_if_signed(payload: bytes) -> None:
    signed = jwt.api_jws.encode(payload, RSA_KEY, "RS256", {"kid": "rsa-1"})
    assert verify(signed) is Outcome.INVALID


def test_one_token_that_verifies_is_enough() -> None:
    assert isinstance(verify("a.b.c", token(kid="rsa-9"), token()), Verified)
    assert verify(token(kid="rsa-9"), "a.b.c") is Outcome.UNKNOWN_KEY


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60))
def test_nothing_raises(text: str) -> None:
    assert verify(text) is Outcome.INVALID
    assert verify(f"{token().rpartition('.')[0]}.{text}") is Outcome.INVALID


def test_tokens_for_one_event_have_one_deduplication_key() -> None:
    found = {
        verify(token(claims(jti=jti, iat=NOW - age, exp=NOW + 600 - age)))
        for age, jti in enumerate(("evt_1", "evt_2", "", None))
    }
    assert {verified.id for verified in found if isinstance(verified, Verified)} == {
        deduplication_key(EVENT)
    }
