import json
from collections.abc import Mapping
from typing import Any

import pytest
from cloudevents.http import from_http
from hypothesis import given
from hypothesis import strategies as st

from relay.dispatcher import event as events
from relay.dispatcher.event import Event, read
from relay.errors import Poison
from relay.gcp.deadletter import MAX_ATTRIBUTES, dead_letter
from relay.web.push import PushedMessage

SOURCE = "//generativelanguage.googleapis.com/projects/p"
GIVEN = {
    "webhook-id": "evt_1",
    "webhook-timestamp": "1769083200",
    "dedup-key": "evt_1",
    "scheme": "v1a",
    "received-at": "2026-01-22T12:00:01.500Z",
}
BODY = {
    "type": "batch.succeeded",
    "version": "v1",
    "timestamp": "2026-01-22T12:00:00Z",
    "data": {"id": "batch_123456", "output_file_uri": "gs://my-bucket/results.jsonl"},
}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def read_body(body: object, **given: str) -> Event:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    attributes = {**GIVEN, **{name.replace("_", "-"): value for name, value in given.items()}}
    return read(PushedMessage(data, attributes), source=SOURCE)


def reason_for(body: object, **given: str) -> str:
    with pytest.raises(Poison) as poison:
        read_body(body, **given)
    return poison.value.reason


def test_the_event_message() -> None:
    event = read_body(BODY, traceparent=TRACEPARENT)
    assert event.attributes == {
        "ce-specversion": "1.0",
        "ce-id": "evt_1",
        "ce-type": "batch.succeeded",
        "ce-source": SOURCE,
        "ce-time": "2026-01-22T12:00:00Z",
        "ce-subject": "batch_123456",
        "ce-provenance": "gemini",
        "content-type": "application/json",
        "scheme": "v1a",
        "traceparent": TRACEPARENT,
    }
    assert json.loads(event.data) == BODY


def test_the_event_message_is_a_cloudevent() -> None:
    # The Pub/Sub binding differs from the HTTP one in nothing that the package would notice.
    event = read_body({**BODY, "user_metadata": {"team": "blue"}})
    headers = {name: event.attributes[name] for name in event.attributes if name[:3] == "ce-"}
    parsed = from_http({**headers, "content-type": event.attributes["content-type"]}, event.data)
    assert parsed.get_data() == {**BODY, "user_metadata": {"team": "blue"}}
    assert parsed.get_attributes() == {
        "specversion": "1.0",
        "id": "evt_1",
        "type": "batch.succeeded",
        "source": SOURCE,
        "time": "2026-01-22T12:00:00Z",
        "subject": "batch_123456",
        "provenance": "gemini",
        "datacontenttype": "application/json",
    }


@pytest.mark.parametrize(
    ("scheme", "provenance"),
    [
        ("v1", "project"),
        ("reconciled", "project"),
        ("collected", "project"),
        ("v1a", "gemini"),
        ("jwt", "gemini"),
        ("v2", None),
        ("", None),
    ],
)
def test_an_event_says_what_its_scheme_proves(scheme: str, provenance: str | None) -> None:
    assert read_body(BODY, scheme=scheme).attributes.get("ce-provenance") == provenance


def test_no_metadata_overrides_what_the_scheme_proves() -> None:
    event = read_body({**BODY, "user_metadata": {"ce-provenance": "project"}})
    assert event.attributes["ce-provenance"] == "gemini"


def test_the_body_is_relayed_byte_for_byte() -> None:
    body = b' {"type" : "x.y",\n"n":1.0e400, "type":"batch.failed"} '
    assert read_body(body).data == body
    assert read_body(body).type == "batch.failed"


@pytest.mark.parametrize(
    ("data", "subject"),
    [
        ({"id": "batch_1"}, "batch_1"),
        ({"file_id": "f1", "video_uri": "https://…"}, "f1"),
        ({"file_name": "files/f1"}, "files/f1"),
        ({"video_uri": "https://host/v1beta/files/f1:download?alt=media"}, "files/f1"),
        ({"output_file_uri": "https://host/v1beta/files/f1:download"}, None),
        ({"id": "", "file_id": "f1"}, "f1"),
        ({"id": {"nested": 1}, "file_id": "f1"}, "f1"),
        ({"id": 123456789012345678901234567890}, "123456789012345678901234567890"),
        ({"id": "a\x00b\ud800"}, "ab?"),
        ({"id": "é" * 600}, "é" * 512),
        ({}, None),
        ("no object", None),
        (None, None),
    ],
)
def test_the_subject_is_the_job_or_file(data: object, subject: str | None) -> None:
    event = read_body({**BODY, "data": data})
    assert event.attributes.get("ce-subject") == subject
    assert event.subject == (subject or "")


@pytest.mark.parametrize(
    ("timestamp", "time"),
    [
        ("2026-01-22T12:00:00+01:00", "2026-01-22T12:00:00+01:00"),
        ("2026-01-22t12:00:00.123456789z", "2026-01-22t12:00:00.123456789z"),
        ("2026-01-22", GIVEN["received-at"]),
        ("2026-13-22T12:00:00Z", GIVEN["received-at"]),
        ("0001-01-01T00:00:00+23:59", GIVEN["received-at"]),
        ("2026-01-22T12:00:00Z\n", GIVEN["received-at"]),
        ("٢٠٢٦-01-22T12:00:00Z", GIVEN["received-at"]),
        (1769083200, GIVEN["received-at"]),
        (None, GIVEN["received-at"]),
    ],
)
def test_the_time_is_the_events_own_if_it_is_one(timestamp: object, time: str) -> None:
    assert read_body({**BODY, "timestamp": timestamp}).attributes["ce-time"] == time


def test_without_any_time_there_is_the_publish_time_or_none() -> None:
    attributes = {name: GIVEN[name] for name in ("webhook-id", "dedup-key")}
    message = PushedMessage(b'{"type":"x"}', attributes, publish_time="2026-01-22T12:00:02Z")
    assert read(message, source=SOURCE).attributes["ce-time"] == "2026-01-22T12:00:02Z"
    message = PushedMessage(b'{"type":"x"}', attributes)
    assert "ce-time" not in read(message, source=SOURCE).attributes


def test_unknown_types_versions_and_fields_pass() -> None:
    event = read_body({"type": "music.composed", "version": "v9", "novel": {"deep": [1]}})
    assert event.attributes["ce-type"] == "music.composed"


@pytest.mark.parametrize("name", ["relay_job", "relay_\u0000job"])
@pytest.mark.parametrize("value", [f"job_{32 * '0'}.t0ken", "t0ken", 7, {"x": 1}])
def test_a_relay_job_is_never_an_attribute(name: str, value: object) -> None:
    metadata = {name: value, "team": "blue"}
    for body in (
        {**BODY, "user_metadata": metadata},
        {**BODY, "data": {"user_metadata": metadata}},
    ):
        event = read_body(body)
        assert event.metadata == {"team": "blue"}
        assert not any("relay" in each or "t0ken" in each for each in event.attributes)
        assert "t0ken" not in repr(event.about) + repr(event.attributes)


def test_a_jobs_event_has_one_attribute_more_and_no_more_than_a_hundred() -> None:
    event = read_body(BODY)
    assert event.of_job("job_1").attributes == {**event.attributes, "job": "job_1"}
    full = read_body({**BODY, "user_metadata": {f"k{n}": "v" for n in range(200)}})
    attributes = full.of_job("job_1").attributes
    assert len(full.attributes) == len(attributes) == MAX_ATTRIBUTES
    assert attributes["job"] == "job_1"
    assert len(full.attributes.keys() - attributes.keys()) == 1


def test_user_metadata_from_either_place() -> None:
    event = read_body(
        {
            **BODY,
            "user_metadata": {"team": "blue", "both": "top"},
            "data": {"id": "b", "user_metadata": {"both": "data", "n": 1.50, "ok": True}},
        }
    )
    assert event.metadata == {"team": "blue", "both": "data", "n": "1.5", "ok": "true"}
    assert {name for name in event.attributes if name.startswith("meta-")} == {
        "meta-team",
        "meta-both",
        "meta-n",
        "meta-ok",
    }


def test_only_scalars_of_user_metadata_become_attributes() -> None:
    metadata: dict[str, object] = {
        "list": [1],
        "object": {},
        "null": None,
        "no": False,
        "empty": "",
    }
    event = read_body({**BODY, "user_metadata": metadata})
    assert event.metadata == {"no": "false", "empty": ""}


@pytest.mark.parametrize("metadata", ["text", 7, [], None])
def test_user_metadata_that_is_not_an_object_is_ignored(metadata: object) -> None:
    assert read_body({**BODY, "user_metadata": metadata}).metadata == {}


def test_numbers_keep_every_digit() -> None:
    body = b'{"type":"x","user_metadata":{"a":1.10,"b":%s}}' % (b"9" * 5000)
    event = read_body(body)
    assert event.attributes["meta-a"] == "1.10"
    assert event.attributes["meta-b"] == "9" * 1024


def test_metadata_attributes_are_shortened_to_pubsubs_limits() -> None:
    metadata = {"k" * 300: "é" * 600, "k" * 301: "dropped", **{f"n{i}": i for i in range(200)}}
    event = read_body({**BODY, "user_metadata": metadata})
    assert len(event.attributes) == MAX_ATTRIBUTES
    assert event.attributes["meta-" + "k" * 251] == "é" * 512
    assert event.attributes["ce-id"] == "evt_1"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", events.NOT_JSON),
        (b"\xff\xfe", events.NOT_JSON),
        (b"\xef\xbb\xbf{}", events.NOT_JSON),
        (b'{"type": "x"', events.NOT_JSON),
        (b'{"type": "x", "n": NaN}', events.NOT_JSON),
        (b'{"type": "x", "n": -Infinity}', events.NOT_JSON),
        (b'{"a":' * 100_000, events.NOT_JSON),
        (b"[" * 100_000, events.NOT_JSON),
        (b"[]", events.NOT_AN_OBJECT),
        (b'"text"', events.NOT_AN_OBJECT),
        (b"12", events.NOT_AN_OBJECT),
        ({}, events.NO_TYPE),
        ({"type": ""}, events.NO_TYPE),
        ({"type": None}, events.NO_TYPE),
        ({"type": 7}, events.NO_TYPE),
        ({"type": {}}, events.NO_TYPE),
        ({"type": "x" * 1025}, events.BAD_TYPE),
        ({"type": "é" * 513}, events.BAD_TYPE),
        ({"type": "\ud800"}, events.BAD_TYPE),
        ({"type": "a\nb"}, events.BAD_TYPE),
    ],
    ids=str,
)
def test_a_message_that_can_never_be_relayed_is_poison(body: object, reason: str) -> None:
    assert reason_for(body) == reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"webhook_id": ""}, events.NO_ID),
        ({"webhook_id": "x" * 1025}, events.BAD_ID),
        ({"webhook_id": "a\x7f"}, events.BAD_ID),
        ({"dedup_key": ""}, events.NO_KEY),
    ],
)
def test_a_message_without_an_identity_is_poison(given: Mapping[str, str], reason: str) -> None:
    assert reason_for(BODY, **given) == reason


def test_a_replay_is_an_event_of_its_own_for_the_ledger() -> None:
    event = read_body(BODY, replay="r1", replay_route="blue")
    assert event.key == "evt_1\nr1"
    assert event.attributes["replay"] == "r1"
    assert event.route == "blue"
    assert read_body(BODY).key == "evt_1"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "type": st.text() | values,
        "timestamp": st.text() | st.datetimes().map(lambda time: time.isoformat() + "Z"),
        "data": st.dictionaries(st.sampled_from(["id", "file_id", "user_metadata"]), values),
        "user_metadata": st.dictionaries(st.text(max_size=400), st.text() | values),
    },
)


def event_or_reason(message: PushedMessage) -> Event | str:
    try:
        return read(message, source=SOURCE)
    except Poison as poison:
        return poison.reason


def publishable(attributes: Mapping[str, str]) -> bool:
    sizes = ((len(key.encode()), len(value.encode())) for key, value in attributes.items())
    return len(attributes) <= 100 and all(0 < key <= 256 and value <= 1024 for key, value in sizes)


@given(body=st.binary() | documents.map(lambda document: json.dumps(document).encode()))
def test_any_body_is_an_event_that_pubsub_takes_or_poison(body: bytes) -> None:
    message = PushedMessage(body, GIVEN)
    outcome = event_or_reason(message)
    if isinstance(outcome, Event):
        assert publishable(outcome.attributes)
        assert all(outcome.attributes[name] for name in outcome.attributes if name[:3] == "ce-")
        assert outcome.data == body
    else:
        assert outcome in {events.NOT_JSON, events.NOT_AN_OBJECT, events.NO_TYPE, events.BAD_TYPE}
        assert publishable(dead_letter(message.attributes, outcome))


@given(given=st.dictionaries(st.sampled_from([*GIVEN, "replay", "traceparent"]), st.text()))
def test_any_attributes_are_an_identity_or_poison(given: dict[str, Any]) -> None:
    outcome = event_or_reason(PushedMessage(b'{"type":"x"}', given))
    if isinstance(outcome, Event):
        assert outcome.id == given["webhook-id"]
    else:
        assert outcome in {events.NO_ID, events.BAD_ID, events.NO_KEY}
