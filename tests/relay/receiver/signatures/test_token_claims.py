import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relay.receiver.signatures.token_claims import (
    check_times,
    deduplication_key,
    event_claims,
    signed_body,
)
from tests.support.signing import EVENT, NOW, claims

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


def agree(body: bytes, payload: dict[str, Any] | bytes) -> bytes:
    document = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return signed_body(body, document, event_claims(json.loads(document)))


def test_the_event_is_what_is_not_about_the_token() -> None:
    assert event_claims(claims(iss="Google", sub="x", nbf=1)) == EVENT


@pytest.mark.parametrize("kind", [None, "", 7, ["batch.succeeded"]])
def test_claims_without_a_type_are_no_event(kind: Any) -> None:
    with pytest.raises(ValueError, match="no type"):
        event_claims(claims(type=kind))


def test_a_body_that_says_the_same_is_published_as_it_came() -> None:
    spaced = json.dumps(dict(reversed(EVENT.items())), indent=2).encode()
    assert agree(spaced, claims()) == spaced


def test_an_empty_body_stands_for_the_claims() -> None:
    assert agree(b"", claims()) == json.dumps(EVENT, separators=(",", ":")).encode()


def test_a_claim_that_is_no_json_cannot_become_a_body() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        agree(b"", b'{"type": "t", "value": NaN}')


@pytest.mark.parametrize(
    ("body", "signed"),
    [
        ('{"type":"t","n":1}', '{"type":"t","n":2}'),
        ('{"type":"t","n":1}', '{"type":"t","n":1.0}'),
        ('{"type":"t","n":1}', '{"type":"t","n":true}'),
        ('{"type":"t","n":0}', '{"type":"t","n":false}'),
        ('{"type":"t","n":0}', '{"type":"t","n":null}'),
        ('{"type":"t","n":"1"}', '{"type":"t","n":1}'),
        ('{"type":"t"}', '{"type":"t","n":null}'),
        ('{"type":"t","n":null}', '{"type":"t"}'),
        ('{"type":"t","n":[1,2]}', '{"type":"t","n":[2,1]}'),
        ('{"type":"t","n":[1]}', '{"type":"t","n":[1,1]}'),
        ('{"type":"t","n":{"a":[{"b":1}]}}', '{"type":"t","n":{"a":[{"b":1.0}]}}'),
        ('{"type":"t","n":0.1}', '{"type":"t","n":0.10000000000000000001}'),
        ('{"type":"t","n":1e400}', '{"type":"t","n":1e401}'),
        ('{"type":"t","n":1,"n":1}', '{"type":"t","n":1}'),
        ('{"type":"t","n":1}', '{"type":"t","n":1,"n":1}'),
        ('{"type":"t","n":NaN}', '{"type":"t","n":NaN}'),
        ('{"type":"t","n":Infinity}', '{"type":"t","n":Infinity}'),
        ('{"type":"t","aud":"x"}', '{"type":"t","aud":"x"}'),
        ('\ufeff{"type":"t"}', '{"type":"t"}'),
        ('{"type":"t"} {}', '{"type":"t"}'),
        ("not json", '{"type":"t"}'),
        ("[]", '{"type":"t"}'),
        (" ", '{"type":"t"}'),
    ],
)
def test_a_body_that_disagrees_is_refused(body: str, signed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - Python's own among them
        agree(body.encode(), signed.encode())


def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        agree(b"\xff", claims())


@given(
    st.dictionaries(st.text(max_size=5), JSON, max_size=4),
    st.dictionaries(st.text(max_size=5), JSON, max_size=4),
)
def test_bodies_agree_if_and_only_if_they_are_the_same_json(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    reserved = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}
    assume(not reserved & (left.keys() | right.keys()))
    left, right = {**left, "type": "t"}, {**right, "type": "t"}
    body = json.dumps(left).encode()
    assert agree(body, left) == body
    if json.dumps(left, sort_keys=True) != json.dumps(right, sort_keys=True):
        with pytest.raises(ValueError, match="disagrees"):
            agree(body, right)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iat": NOW - 300},
        {"iat": NOW + 300},
        {"iat": NOW + 0.5},
        {"exp": NOW + 1},
        {"nbf": NOW + 300},
        {"nbf": NOW - 5},
    ],
)
def test_times_within_the_tolerance(changes: dict[str, Any]) -> None:
    assert check_times(claims(**changes), NOW, 300) == int(changes.get("iat", NOW))


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": NOW - 301},
        {"iat": NOW + 301},
        {"iat": str(NOW)},
        {"iat": True},
        {"iat": float("nan")},
        {"iat": float("inf")},
        {"iat": [NOW]},
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": "later"},
        {"exp": True},
        {"nbf": NOW + 301},
        {"nbf": "now"},
    ],
    ids=str,
)
def test_times_that_refuse_a_token(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        check_times(claims(**changes), NOW, 300)


def test_the_deduplication_key_is_a_digest_of_the_event_whatever_its_order() -> None:
    key = deduplication_key(EVENT)
    assert key == deduplication_key(dict(reversed(EVENT.items())))
    assert key != deduplication_key({**EVENT, "version": "v2"})
    assert key.startswith("sha256-")
    assert len(key) == 71
