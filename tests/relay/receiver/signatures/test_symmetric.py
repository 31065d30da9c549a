import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.keys.secret import EXAMPLE_SECRET, parse_secret
from relay.receiver.delivery import Delivery
from relay.receiver.signatures import Outcome, Verified
from relay.receiver.signatures.symmetric import SymmetricScheme
from tests.support.signing import BODY, NOW, delivery, secret, v1

KEYS = [parse_secret(secret(seed)) for seed in range(3)]


def value(signature: str) -> bytes:
    return signature.removeprefix("v1,").encode()


def test_the_reference_signature_verifies() -> None:
    found = SymmetricScheme().verify(delivery(), [value(v1())], KEYS)
    assert found == Verified("v1", "msg_1", NOW, BODY)


@given(
    st.text(max_size=100),
    st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="."),
        min_size=1,
        max_size=40,
    ),
)
def test_any_signature_of_the_reference_verifies(text: str, webhook_id: str) -> None:
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return
    arrived = delivery(body=body, webhook_id=webhook_id)
    signature = value(v1(body, webhook_id=webhook_id))
    assert SymmetricScheme().verify(arrived, [signature], KEYS) == Verified(
        "v1", webhook_id, NOW, body
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_active_secret_verifies(seed: int) -> None:
    entries = [b"AAAA", value(v1(seed=seed))]
    assert isinstance(SymmetricScheme().verify(delivery(), entries, KEYS), Verified)


def test_a_signature_by_an_unknown_secret_has_an_unknown_key() -> None:
    found = SymmetricScheme().verify(delivery(), [value(v1(seed=9))], KEYS)
    assert found is Outcome.UNKNOWN_KEY


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.rstrip("="),
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: text[:4] + "!" + text[4:],
        lambda text: text[:4] + " " + text[4:],
        lambda text: text.swapcase(),
        lambda text: text[:-2] + chr(ord(text[-2]) + 1) + "=",
        lambda _: "",
        lambda _: "not base64 ===",
    ],
)
def test_only_the_canonical_encoding_verifies(change: Callable[[str], str]) -> None:
    entry = change(v1().removeprefix("v1,")).encode()
    assert SymmetricScheme().verify(delivery(), [entry], KEYS) is Outcome.UNKNOWN_KEY


@pytest.mark.parametrize(
    "arrived",
    [
        delivery(body=BODY + b" "),
        delivery(webhook_id="msg_2"),
        delivery(timestamp=NOW + 1),
        delivery(body=b"\xff\xfe"),
        delivery(body=b""),
    ],
)
def test_a_signature_holds_for_its_bytes_alone(arrived: Delivery) -> None:
    assert SymmetricScheme().verify(arrived, [value(v1())], KEYS) is Outcome.UNKNOWN_KEY


@given(st.lists(st.binary(max_size=60), max_size=5), st.binary(max_size=60))
def test_nothing_raises_and_nothing_verifies(entries: list[bytes], body: bytes) -> None:
    assert SymmetricScheme().verify(delivery(body=body), entries, KEYS) is Outcome.UNKNOWN_KEY


def test_a_secret_with_and_without_padding() -> None:
    key = bytes(range(32))
    text = "whsec_" + base64.b64encode(key).decode()
    assert parse_secret(text) == parse_secret(text.rstrip("=")) == key
    assert parse_secret(EXAMPLE_SECRET)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with whsec_"),
        ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with whsec_"),
        ("whsec_MfKQ9r8G!KYqrTwjUPD8ILPZIo2LaLaSw", "is not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-", "is not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", "is not base64"),
        ("whsec_é", "is not base64"),
        ("whsec_", "does not hold 16 to 512 bytes"),
        ("whsec_QUJD", "does not hold 16 to 512 bytes"),
        ("whsec_" + "A" * 800, "does not hold 16 to 512 bytes"),
    ],
)
def test_malformed_secrets(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_secret(text)
    assert text not in str(caught.value) or text == "whsec_"
