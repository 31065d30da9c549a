"""What `standardwebhooks.Webhook` does with the inputs that decision 0003 names, and what we do."""

import base64
import binascii
import json
from datetime import UTC, datetime, tzinfo

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError, hmac_data

from relay.errors import Refused
from relay.receiver.delivery import Delivery
from relay.receiver.signatures import Verified
from relay.receiver.signatures.entries import parse_entries
from relay.receiver.signatures.symmetric import SymmetricScheme
from tests.support import signing
from tests.support.signing import raw

KEY, OLDER_KEY = b"k" * 32, b"o" * 32
BODY = b'{"type":"batch.succeeded"}'
DEEP = b"[" * 100_000 + b"]" * 100_000
NOW = str(signing.NOW)


class Frozen(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Frozen":
        return cls.fromtimestamp(signing.NOW, tz)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    # The library takes no clock.
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Frozen)


def sign(body: bytes = BODY, key: bytes = KEY, timestamp: str = NOW) -> str:
    signed = b"msg_1.%b.%b" % (timestamp.encode(), body)
    return "v1," + base64.b64encode(hmac_data(key, signed)).decode()


def library_accepts(body: bytes, signature: str, timestamp: str = NOW) -> bool:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }
    try:
        Webhook(KEY).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def relay_accepts(
    body: bytes, signature: str, timestamp: str = NOW, keys: tuple[bytes, ...] = (KEY,)
) -> bool:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }
    try:
        delivery = Delivery.parse(raw(headers), body, float(NOW))
    except Refused:
        return False
    entries = parse_entries(delivery.signature).get("v1", [])
    return isinstance(SymmetricScheme().verify(delivery, entries, keys), Verified)


def test_both_accept_a_sound_delivery_and_refuse_a_forged_one() -> None:
    assert library_accepts(BODY, sign())
    assert relay_accepts(BODY, sign())
    assert not library_accepts(BODY, sign(b"{}"))
    assert not relay_accepts(BODY, sign(b"{}"))


@pytest.mark.parametrize(
    ("signature", "error"),
    [
        pytest.param("v1", ValueError, id="no comma"),
        pytest.param(f"{sign()},x", ValueError, id="two commas"),
        pytest.param("v1,A", binascii.Error, id="malformed base64"),
        pytest.param("v1,\xe9", ValueError, id="not ASCII"),
    ],
)
def test_a_malformed_entry_raises_outside_the_librarys_tree(
    signature: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        library_accepts(BODY, signature)
    assert not isinstance(caught.value, WebhookVerificationError)
    assert not relay_accepts(BODY, signature)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"\xff", UnicodeDecodeError, id="not UTF-8"),
        pytest.param(b"batch.succeeded", json.JSONDecodeError, id="not JSON"),
        pytest.param(DEEP, RecursionError, id="nested deeply"),
    ],
)
def test_a_signed_body_raises_in_the_library(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        library_accepts(body, sign(body))
    assert relay_accepts(body, sign(body))


@pytest.mark.parametrize("malformed", ["v1", "v1,A", "v2,a,b"])
def test_a_malformed_entry_hides_a_valid_one_from_the_library(malformed: str) -> None:
    signature = f"{malformed} {sign()}"
    with pytest.raises(ValueError, match=r"unpack|base64"):
        library_accepts(BODY, signature)
    assert relay_accepts(BODY, signature)


@pytest.mark.parametrize(
    "timestamp",
    [
        pytest.param(f" {NOW} ", id="blanks"),
        pytest.param(f"{NOW[0]}_{NOW[1:]}", id="underscore"),
        pytest.param(f"{NOW}e0", id="exponent"),
        pytest.param(f"{NOW}.5", id="fraction"),
        pytest.param(f"0{NOW}", id="leading zero"),
    ],
)
def test_the_library_signs_another_timestamp_than_it_received(timestamp: str) -> None:
    assert library_accepts(BODY, sign(), timestamp)
    assert not relay_accepts(BODY, sign(), timestamp)


def test_the_library_accepts_other_characters_inside_base64() -> None:
    signature = f"v1,!{sign().removeprefix('v1,')}"
    assert library_accepts(BODY, signature)
    assert not relay_accepts(BODY, signature)


def test_the_library_takes_one_secret() -> None:
    signature = sign(key=OLDER_KEY)
    assert not library_accepts(BODY, signature)
    assert relay_accepts(BODY, signature, keys=(KEY, OLDER_KEY))


def test_the_librarys_sign_takes_text_alone() -> None:
    moment = datetime.fromtimestamp(int(NOW), UTC)
    assert Webhook(KEY).sign("msg_1", moment, BODY.decode()) == sign()
    assert Webhook(KEY).sign("msg_1", moment, BODY) != sign()  # type: ignore[arg-type]
