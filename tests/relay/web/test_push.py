import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from relay.web.push import NotAPush, PushedMessage, parse

ATTRIBUTES = {"webhook-id": "evt_1", "dedup-key": "evt_1", "scheme": "v1"}
PUBLISHED = {
    "source": "//pubsub.googleapis.com/projects/p/topics/t",
    "type": "google.cloud.pubsub.topic.v1.messagePublished",
}


def envelope(data: bytes | None = b"{}", **fields: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"attributes": ATTRIBUTES, "messageId": "7", "publishTime": "T"}
    if data is not None:
        message["data"] = base64.b64encode(data).decode()
    return {"message": message, "subscription": "projects/p/subscriptions/s", **fields}


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_wrapped_push() -> None:
    message = parse({}, encoded(envelope(b'{"a":1}', deliveryAttempt=3)))
    assert message == PushedMessage(b'{"a":1}', ATTRIBUTES, "7", "T", 3)


def test_a_wrapped_push_with_names_in_snake_case() -> None:
    fields = {"data": "e30=", "message_id": "8", "publish_time": "U"}
    assert parse({}, encoded({"message": fields})) == PushedMessage(b"{}", {}, "8", "U", None)


@pytest.mark.parametrize("data", [{}, {"data": ""}])
def test_a_message_may_be_attributes_alone(data: Mapping[str, str]) -> None:
    message = parse({}, encoded({"message": {"attributes": ATTRIBUTES, **data}}))
    assert (message.data, message.attributes) == (b"", ATTRIBUTES)


@pytest.mark.parametrize(
    "text", ["-_-_", "+/+/", "-_+/", "YQ", "YQ==", "YQ="], ids=lambda text: f"data {text}"
)
def test_base64_of_either_alphabet_and_without_padding(text: str) -> None:
    expected = b"a" if text.startswith("YQ") else base64.b64decode("+/+/")
    assert parse({}, encoded({"message": {"data": text}})).data == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"hello",
        b"\xff\xfe",
        b"{}",
        b'{"message": 7}',
        b'{"message": {}}',
        b'{"message": {"attributes": {}}}',
        b'{"message": {"attributes": []}}',
        b'{"message": {"attributes": {"a": 1}}}',
        b'{"message": {"attributes": {"a": "\\ud800"}}}',
        b'{"message": {"attributes": {"\\udfff": "a"}}}',
        b'{"message": {"data": 7}}',
        b'{"message": {"data": null}}',
        b'{"message": {"data": "YQ==YQ=="}}',
        b'{"message": {"data": "Y Q="}}',
        b'{"message": {"data": "Y"}}',
        '{"message": {"data": "é"}}'.encode(),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_malformed_pushes(body: bytes) -> None:
    with pytest.raises(NotAPush) as refused:
        parse({"content-type": "application/json"}, body)
    assert refused.value.status == 400


@pytest.mark.parametrize("attempt", [None, True, "3", 1.5, {}])
def test_a_malformed_delivery_attempt_is_ignored(attempt: object) -> None:
    assert parse({}, encoded(envelope(deliveryAttempt=attempt))).delivery_attempt is None


def test_an_unwrapped_push_with_its_metadata() -> None:
    headers = {
        "x-goog-pubsub-message-id": "9",
        "x-goog-pubsub-publish-time": "T",
        "content-type": "application/json",
        "host": "dispatch.example",
        "replay": "r1",
        "ce-id": "evt_1",
        **ATTRIBUTES,
    }
    message = parse(headers, b"raw \xff bytes")
    attributes = {**ATTRIBUTES, "replay": "r1", "ce-id": "evt_1"}
    assert message == PushedMessage(b"raw \xff bytes", attributes, "9", "T")


@pytest.mark.parametrize("convert", [to_binary, to_structured])
def test_a_cloudevent_in_either_mode(convert: Any) -> None:
    headers, body = convert(CloudEvent(PUBLISHED, envelope(b"hello", deliveryAttempt=2)))
    message = parse({name.lower(): value for name, value in headers.items()}, body)
    assert message == PushedMessage(b"hello", ATTRIBUTES, "7", "T", 2)


def test_a_structured_cloudevent_whose_data_is_base64() -> None:
    data = base64.b64encode(encoded(envelope(b"hello"))).decode()
    body = encoded({"specversion": "1.0", "id": "1", "data_base64": data, **PUBLISHED})
    headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
    assert parse(headers, body).data == b"hello"


@pytest.mark.parametrize("convert", [to_binary, to_structured])
def test_a_cloudevent_of_another_type_is_not_a_push(convert: Any) -> None:
    other = {**PUBLISHED, "type": "google.cloud.storage.object.v1.finalized"}
    headers, body = convert(CloudEvent(other, envelope()))
    with pytest.raises(NotAPush, match="another-type"):
        parse({name.lower(): value for name, value in headers.items()}, body)


def test_a_structured_cloudevent_without_data_is_not_a_push() -> None:
    body = encoded({"specversion": "1.0", "id": "1", **PUBLISHED})
    with pytest.raises(NotAPush, match="no-message"):
        parse({"content-type": "application/cloudevents+json"}, body)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    ["message", "data", "attributes", "messageId", "type", "data_base64", "deliveryAttempt"]
)
header_names = st.sampled_from(
    ["content-type", "ce-specversion", "ce-type", "x-goog-pubsub-message-id", "webhook-id"]
)
header_values = st.text() | st.sampled_from(["application/cloudevents+json", PUBLISHED["type"]])


@given(
    headers=st.dictionaries(header_names, header_values),
    body=st.binary()
    | json_values.map(encoded)
    | st.dictionaries(names, json_values | st.dictionaries(names, json_values)).map(encoded),
)
def test_any_request_is_a_message_or_not_a_push(headers: Mapping[str, str], body: bytes) -> None:
    try:
        message = parse(headers, body)
    except NotAPush:
        return
    assert isinstance(message.data, bytes)
    assert all(isinstance(value, str) for value in message.attributes.values())


@given(data=st.binary(), attributes=st.dictionaries(st.text(min_size=1), st.text(), min_size=1))
def test_a_message_survives_the_envelope(data: bytes, attributes: Mapping[str, str]) -> None:
    wrapped = envelope(data)
    wrapped["message"]["attributes"] = attributes
    message = parse({}, encoded(wrapped))
    assert (message.data, message.attributes) == (data, attributes)
