import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import Refused
from relay.receiver.delivery import Delivery
from tests.support.signing import BODY, NOW, delivery, headers, raw

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def refusal(named: dict[str, str | bytes] | list[tuple[bytes, bytes]]) -> Refused:
    pairs = named if isinstance(named, list) else raw(named)
    with pytest.raises(Refused) as caught:
        Delivery.parse(pairs, BODY, NOW)
    return caught.value


def test_signs_the_bytes_as_received() -> None:
    parsed = Delivery.parse(raw(headers(timestamp="0123")), b"\xff\x00", NOW)
    assert parsed.signed == b"msg_1.0123.\xff\x00"
    assert (parsed.id, parsed.timestamp, parsed.body) == ("msg_1", 123, b"\xff\x00")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(name: str) -> None:
    named = headers()
    del named[name]
    error = refusal({**named})
    assert (error.status, error.reason) == (400, "missing-header")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    pairs = raw(headers())
    error = refusal([*pairs, (name.encode(), dict(pairs)[name.encode()])])
    assert (error.status, error.reason) == (400, "malformed-header")


@pytest.mark.parametrize(
    "timestamp",
    [" 123 ", "123 ", "1_795", "1.79e9", "1.0", "-1", "+1", "0x10", "", "1" * 16, "²", "nan"],
)
def test_only_plain_decimal_digits_are_a_timestamp(timestamp: str) -> None:
    assert refusal({**headers(timestamp=timestamp)}).status == 400


def test_unicode_digits_are_no_timestamp() -> None:
    assert refusal({**headers(), "webhook-timestamp": "١٢٣".encode()}).status == 400


@pytest.mark.parametrize(
    ("name", "longest"),
    [("webhook-id", 256), ("webhook-timestamp", 15), ("webhook-signature", 16384)],
)
def test_length_bounds(name: str, longest: int) -> None:
    assert Delivery.parse(raw({**headers(), name: "1" * longest}), b"", NOW)
    assert refusal({**headers(), name: "1" * (longest + 1)}).reason == "malformed-header"


@pytest.mark.parametrize("value", [b"a b", b"\xc3\xa9", b"\xff", b"a\tb", b"a\x00", b"", b"a\n"])
def test_an_id_is_printable_ascii(value: bytes) -> None:
    assert refusal({**headers(), "webhook-id": value}).status == 400


@pytest.mark.parametrize("value", [".", "a.", ".a", "msg_1.1795000000"])
def test_an_id_holds_no_dot(value: str) -> None:
    assert refusal({**headers(), "webhook-id": value}).reason == "malformed-header"


@given(
    st.dictionaries(
        st.sampled_from(
            ["webhook-id", "webhook-timestamp", "webhook-signature", "traceparent", "x"]
        ),
        st.binary(max_size=40) | st.text("0123456789 ,.va=", max_size=40).map(str.encode),
    ),
    st.binary(max_size=50),
)
def test_whatever_the_headers_the_answer_is_a_delivery_or_a_refusal(
    named: dict[str, bytes], body: bytes
) -> None:
    with contextlib.suppress(Refused):
        parsed = Delivery.parse(raw({**named}), body, NOW)
        assert parsed.body == body
        assert parsed.signature.isascii()


@pytest.mark.parametrize(
    ("offset", "fresh"), [(300, True), (301, False), (-300, True), (-301, False)]
)
def test_age(offset: int, fresh: bool) -> None:
    parsed = delivery(received_at=NOW + offset)
    if fresh:
        parsed.check_age(300)
    else:
        with pytest.raises(Refused) as caught:
            parsed.check_age(300)
        assert (caught.value.status, caught.value.reason) == (401, "timestamp")


def test_traceparent_is_kept() -> None:
    assert Delivery.parse(raw({**headers(), "traceparent": TRACE}), b"", NOW).traceparent == TRACE


@pytest.mark.parametrize(
    "value",
    [
        TRACE.upper(),
        TRACE.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        TRACE + "-extra",
        TRACE + "\n",
        " " + TRACE,
        "",
        "é" * 55,
    ],
)
def test_a_malformed_traceparent_is_dropped(value: str) -> None:
    assert Delivery.parse(raw({**headers(), "traceparent": value}), b"", NOW).traceparent is None


def test_a_repeated_traceparent_is_dropped() -> None:
    pairs = [*raw(headers()), (b"traceparent", TRACE.encode()), (b"traceparent", TRACE.encode())]
    assert Delivery.parse(pairs, b"", NOW).traceparent is None
