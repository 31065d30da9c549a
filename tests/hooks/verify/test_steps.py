"""Each way in which a delivery can be wrong is named, and the verdict is the receiver's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hooks.verify.steps import Terms, Verdict, examine
from relay.keys.keyset import parse_key_set
from relay.keys.secret import parse_secret
from tests.support.signing import (
    AUDIENCE,
    BODY,
    NOW,
    OTHER_RSA_KEY,
    claims,
    ed25519_jwk,
    headers,
    jwks,
    rsa_jwk,
    secret,
    token,
    v1,
    v1a,
)

TERMS = Terms(
    schemes=("v1", "v1a", "jwt"),
    secrets=(parse_secret(secret()),),
    public=parse_key_set(jwks(ed25519_jwk(), rsa_jwk()), rsa=True),
    audiences=[AUDIENCE],
)


async def check(
    signature: str | None = None,
    body: bytes = BODY,
    *,
    now: float = NOW,
    terms: Terms = TERMS,
    **changes: Any,
) -> Verdict:
    return await examine(body, [*headers(signature, **changes).items()], terms, now)


def failed(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(each.name, each.detail, each.remedy) for each in verdict.steps if not each.holds]


@pytest.mark.parametrize(
    ("signature", "scheme"),
    [(v1(), "v1"), (v1a(), "v1a"), (token(), "jwt"), (f"{v1(seed=9)} {v1()}", "v1")],
)
async def test_a_genuine_delivery_verifies(signature: str, scheme: str) -> None:
    verdict = await check(signature)
    assert (verdict.verified, verdict.scheme, verdict.status) == (True, scheme, 200)
    assert failed(verdict) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"webhook-id": "a.b"}, "'a.b' is not"),
        ({"webhook-timestamp": "soon"}, "'soon' is not"),
        ({"webhook-signature": "ä"}, "is not"),
    ],
)
async def test_a_malformed_header_is_named(changed: dict[str, str], said: str) -> None:
    verdict = await examine(BODY, [*{**headers(), **changed}.items()], TERMS, NOW)
    [(name, detail, _)] = failed(verdict)
    assert name == f"{next(iter(changed))} is well formed"
    assert said in detail
    assert verdict.status == 400


async def test_a_header_that_is_missing_or_repeated_is_named() -> None:
    given = [*headers().items()]
    for wrong, said in ((given[1:], "missing"), ([*given, given[0]], "several times")):
        verdict = await examine(BODY, wrong, TERMS, NOW)
        [(name, detail, _)] = failed(verdict)
        assert name == "webhook-id is well formed"
        assert said in detail


async def test_an_old_delivery_is_refused_though_its_signature_verifies() -> None:
    verdict = await check(now=NOW + 7200)
    [(name, detail, remedy)] = failed(verdict)
    assert (name, verdict.status) == ("it is fresh", 401)
    assert "2h 0m before its arrival; the tolerance is 300 s" in detail
    assert "--at" in remedy
    assert verdict.scheme == "v1"
    assert "after its arrival" in failed(await check(now=NOW - 301))[0][1]


async def test_a_body_beyond_the_bound_is_refused() -> None:
    verdict = await check(terms=replace(TERMS, max_body=1))
    assert (failed(verdict)[0][0], verdict.status) == ("the body is small enough", 413)


async def test_a_scheme_that_is_off_is_named_with_the_setting() -> None:
    [(_, detail, remedy)] = failed(await check(v1a(), terms=replace(TERMS, schemes=("v1",))))
    assert detail == "1 of v1a"
    assert "SCHEMES=v1,v1a" in remedy
    [(_, detail, remedy)] = failed(await check("v9,x"))
    assert (detail, remedy) == ("1 of v9", "")


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (v1(seed=1), "none of 1 keys"),
        (v1a(seed=1), "none of 1 keys"),
        ("v1a,AAAA", "no base64 of 64 bytes"),
        (v1(webhook_id="msg_2"), "none of 1 keys"),
    ],
)
async def test_a_signature_by_another_key_or_over_another_id(signature: str, said: str) -> None:
    verdict = await check(signature)
    [(_, detail, _)] = failed(verdict)
    assert said in detail
    assert verdict.status == 401


@pytest.mark.parametrize(
    ("signed", "captured", "said"),
    [
        (BODY, BODY + b"\n", "without the line end"),
        (BODY + b"\n", BODY, "with a line end"),
        (b'{\n"a": 1\n}', b'{\r\n"a": 1\r\n}', "line ends of one character"),
        (b'{"a":1}', b'{ "a": 1 }', "compact JSON"),
        (b'{"a": 1}', b'{"a":1}', "JSON on one line"),
    ],
)
async def test_what_the_capture_did_to_the_body_is_found(
    signed: bytes, captured: bytes, said: str
) -> None:
    for sign in (v1, v1a):
        [(_, detail, remedy)] = failed(await check(sign(signed), captured))
        assert said in detail
        assert "byte for byte" in remedy


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (token(kid="other"), "its key 'other' is not among the public keys, which are rsa-1"),
        (token(claims(aud="https://x.example/")), "its audience is 'https://x.example/'"),
        (token(claims(exp=NOW - 1)), "expired"),
        (token(claims(iat=NOW - 900)), "outside of the tolerance"),
        (token(claims(iat=None)), "no claim 'iat'"),
        (token(claims(type="batch.failed")), "the body disagrees with the claims"),
        (token(key=OTHER_RSA_KEY), "not by the key that it names"),
        ("a.b.c", "not a token"),
        (token(kid=None), "a kid"),
    ],
)
async def test_what_is_wrong_with_a_token_is_said(signature: str, said: str) -> None:
    verdict = await check(signature)
    [(name, detail, _)] = failed(verdict)
    assert name == "jwt verifies"
    assert said in detail
    assert verdict.status == 401


@pytest.mark.parametrize(
    ("signatures", "without", "status"),
    [
        ([v1()], {"secrets": None}, 503),
        ([v1a()], {"public": None}, 503),
        ([v1(), v1a(seed=1)], {"secrets": None}, 503),
        ([v1(), v1a()], {"secrets": None}, 200),
    ],
)
async def test_without_the_keys_nothing_is_certain(
    signatures: Sequence[str], without: dict[str, Any], status: int
) -> None:
    verdict = await check(" ".join(signatures), terms=replace(TERMS, **without))
    assert verdict.status == status
    assert any("at hand" in detail for _, detail, _ in failed(verdict))
