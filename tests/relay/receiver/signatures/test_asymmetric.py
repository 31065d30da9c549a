import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.keys.keyset import parse_key_set
from relay.receiver.signatures import Outcome, Verified
from relay.receiver.signatures.asymmetric import MAX_TRIED, AsymmetricScheme
from tests.support.signing import BODY, NOW, delivery, ed25519_jwk, jwks, v1a

KEYS = parse_key_set(jwks(*map(ed25519_jwk, range(3))), rsa=False)


def value(signature: str) -> bytes:
    return signature.removeprefix("v1a,").encode()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_published_key_verifies(seed: int) -> None:
    found = AsymmetricScheme().verify(delivery(), [value(v1a(seed=seed))], KEYS)
    assert found == Verified("v1a", "msg_1", NOW, BODY)


@given(st.binary(max_size=100))
def test_any_bytes_can_be_signed(body: bytes) -> None:
    found = AsymmetricScheme().verify(delivery(body=body), [value(v1a(body))], KEYS)
    assert found == Verified("v1a", "msg_1", NOW, body)


def test_one_entry_that_verifies_is_enough() -> None:
    entries = [b"junk", value(v1a(seed=9)), value(v1a(seed=1))]
    assert isinstance(AsymmetricScheme().verify(delivery(), entries, KEYS), Verified)


def test_only_the_first_entries_in_good_form_are_tried() -> None:
    forged = [value(v1a(seed=9)) for _ in range(MAX_TRIED)]
    genuine = value(v1a())
    scheme = AsymmetricScheme()
    found = scheme.verify(delivery(), [b"junk", *forged[1:], b"junk", genuine], KEYS)
    assert isinstance(found, Verified)
    assert scheme.verify(delivery(), [*forged, genuine], KEYS) is Outcome.UNKNOWN_KEY


def test_a_key_that_is_not_published_yet() -> None:
    entries = [value(v1a(seed=9)), b"junk"]
    assert AsymmetricScheme().verify(delivery(), entries, KEYS) is Outcome.UNKNOWN_KEY


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"!",
        b"AAAA",
        value(v1a()).rstrip(b"="),
        value(v1a()) + b"=",
        value(v1a()) + b"AAAA",
        b" " + value(v1a()),
        value(v1a())[:8] + b"\n" + value(v1a())[8:],
        value(v1a()).replace(b"+", b"-").replace(b"/", b"_") + b"!",
    ],
)
def test_malformed_signatures(entry: bytes) -> None:
    assert AsymmetricScheme().verify(delivery(), [entry], KEYS) is Outcome.INVALID


@given(st.lists(st.binary(max_size=90), max_size=3), st.binary(max_size=60))
def test_nothing_raises_and_nothing_verifies(entries: list[bytes], body: bytes) -> None:
    found = AsymmetricScheme().verify(delivery(body=body), entries, KEYS)
    assert not isinstance(found, Verified)
