import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from relay.keys.keyset import MAX_KEYS, parse_key_set
from tests.support.signing import (
    OTHER_RSA_KEY,
    ed25519_jwk,
    ed25519_key,
    jwks,
    rsa_jwk,
)


def test_keys_by_type() -> None:
    document = jwks(ed25519_jwk(0), rsa_jwk(), ed25519_jwk(1), rsa_jwk(OTHER_RSA_KEY, kid="rsa-2"))
    keys = parse_key_set(document, rsa=True)
    assert keys.ed25519 == [ed25519_key(0).public_key(), ed25519_key(1).public_key()]
    assert sorted(keys.rsa) == ["rsa-1", "rsa-2"]
    assert keys.rsa["rsa-1"].algorithm_name == "RS256"


def test_rsa_keys_only_where_tokens_are_accepted() -> None:
    assert parse_key_set(jwks(ed25519_jwk(), rsa_jwk()), rsa=False).rsa == {}
    with pytest.raises(ValueError, match="no usable key"):
        parse_key_set(jwks(rsa_jwk()), rsa=False)


@pytest.mark.parametrize("alg", ["Ed25519", "EdDSA", None])
def test_every_name_of_the_ed25519_algorithm(alg: str | None) -> None:
    assert parse_key_set(jwks(ed25519_jwk(alg=alg)), rsa=False).ed25519


@pytest.mark.parametrize(
    "junk",
    [
        None,
        "key",
        [],
        {},
        {"kty": "OKP"},
        {"kty": ["OKP"]},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        ed25519_jwk(crv="X25519"),
        ed25519_jwk(crv=["Ed25519"]),
        ed25519_jwk(alg="RS256"),
        ed25519_jwk(alg={}),
        ed25519_jwk(use="enc"),
        ed25519_jwk(x=None),
        ed25519_jwk(x=7),
        ed25519_jwk(x=""),
        ed25519_jwk(x="AAAA"),
        ed25519_jwk(x="é" * 43),
        ed25519_jwk(x="A!" + "A" * 42),
        ed25519_jwk(x="A"),
        ed25519_jwk(d="AAAA"),
        rsa_jwk(alg="RS512"),
        rsa_jwk(alg="HS256"),
        rsa_jwk(kid=None),
        rsa_jwk(kid=7),
        rsa_jwk(use="enc"),
        rsa_jwk(n=None),
        rsa_jwk(n="!"),
        rsa_jwk(n="AQAB"),
        rsa_jwk(e="AA"),
        rsa_jwk(generate_private_key(65537, 1024)),  # noqa: S505 - which is why it is skipped
        rsa_jwk(d="AAAA"),
        {key: value for key, value in rsa_jwk().items() if key != "e"},
    ],
)
def test_a_junk_key_is_skipped(junk: Any) -> None:
    keys = parse_key_set(jwks(junk, ed25519_jwk(5)), rsa=True)
    assert keys.ed25519 == [ed25519_key(5).public_key()]
    assert keys.rsa == {}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"keys": null}',
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [{}]}',
        b"[" * 100_000,
        b'{"keys": ' + b"9" * 10_000 + b"}",
    ],
)
def test_malformed_key_sets(document: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - Python's own among them
        parse_key_set(document, rsa=True)


def test_the_number_of_keys_is_bounded_and_repeats_count_once() -> None:
    many = [ed25519_jwk(seed % 30) for seed in range(60)]
    rsas = [rsa_jwk(kid=str(number)) for number in range(40)]
    keys = parse_key_set(jwks(*many, *rsas), rsa=True)
    assert len(keys.ed25519) == len(set(map(id, keys.ed25519))) == MAX_KEYS
    assert len(keys.rsa) == MAX_KEYS
    assert len(parse_key_set(jwks(ed25519_jwk(), ed25519_jwk()), rsa=False).ed25519) == 1


def test_the_first_key_of_a_repeated_id_stays() -> None:
    keys = parse_key_set(jwks(rsa_jwk(), rsa_jwk(OTHER_RSA_KEY)), rsa=True)
    first = parse_key_set(jwks(rsa_jwk()), rsa=True)
    assert keys.rsa["rsa-1"].key == first.rsa["rsa-1"].key


def test_the_key_that_verified_is_tried_first() -> None:
    keys = parse_key_set(jwks(*map(ed25519_jwk, range(4))), rsa=False)
    assert keys.signed(b"message", ed25519_key(2).sign(b"message"))
    assert keys.ed25519[0] == ed25519_key(2).public_key()
    assert len(keys.ed25519) == 4
    assert not keys.signed(b"message", ed25519_key(9).sign(b"message"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["kty", "crv", "x", "n", "e", "kid", "alg", "use", "keys"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_yields_keys_or_a_value_error(junk: Any) -> None:
    document = json.dumps({"keys": [junk, *(junk if isinstance(junk, list) else [])]}).encode()
    with pytest.raises(ValueError, match="no usable key"):
        parse_key_set(document, rsa=True)
