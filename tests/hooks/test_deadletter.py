from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.deadletter import REPLAYS, Selection, described, read, replayed
from hooks.leases import LeasedMessage

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)
GIVEN = {
    "webhook-id": "evt_1",
    "dedup-key": "evt_1",
    "scheme": "v1",
    "received-at": "2026-01-22T10:00:00.000Z",
}
BY_PUBSUB = {
    "CloudPubSubDeadLetterSourceDeliveryCount": "100",
    "CloudPubSubDeadLetterSourceSubscription": "gemini-webhooks-dispatch",
    "CloudPubSubDeadLetterSourceSubscriptionProject": "p",
    "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-01-22T10:00:00.100+00:00",
    "googclient_schemaencoding": "JSON",
}


def held(attributes: dict[str, str], data: bytes = b'{"type": "batch.failed"}') -> LeasedMessage:
    return LeasedMessage("ack", "77", data, attributes, NOW)


def test_a_dead_letter_of_pubsub_counts_its_delivery_attempts() -> None:
    letter = read(held(GIVEN | BY_PUBSUB))
    assert described(letter, NOW + timedelta(hours=3)) == {
        "id": "77",
        "event_id": "evt_1",
        "type": "batch.failed",
        "reason": "attempts-exhausted",
        "attempts": 100,
        "age_seconds": 10800,
        "dead_lettered_at": "2026-01-22T12:00:00+00:00",
        "received_at": "2026-01-22T10:00:00+00:00",
        "subscription": "gemini-webhooks-dispatch",
        "replays": 0,
    }


def test_a_dead_letter_of_the_dispatcher_states_its_reason() -> None:
    letter = read(held(GIVEN | {"reason": "publish-refused"}))
    assert (letter.reason, letter.attempts, letter.subscription) == ("publish-refused", None, "")


def test_a_dead_letter_of_a_subscriber_has_the_attributes_of_an_event() -> None:
    letter = read(held({"ce-id": "evt_2", "ce-type": "video.generated"} | BY_PUBSUB, b""))
    assert (letter.event_id, letter.type, letter.key) == ("evt_2", "video.generated", "")


@pytest.mark.parametrize("count", ["", "-1", "many", "1" * 20])
def test_a_malformed_count_is_ignored(count: str) -> None:
    letter = read(held({"CloudPubSubDeadLetterSourceDeliveryCount": count, REPLAYS: count}))
    assert (letter.attempts, letter.replays) == (None, 0)


@given(st.dictionaries(st.text(), st.text()), st.binary())
def test_any_message_can_be_read_and_replayed(attributes: dict[str, str], data: bytes) -> None:
    letter = read(held(attributes, data))
    back = replayed(letter)
    assert "reason" not in back
    assert int(back[REPLAYS]) == letter.replays + 1
    assert read(held(back, data)).key == letter.key


def test_a_dead_letter_is_replayed_with_its_original_attributes() -> None:
    given = GIVEN | {"replay": "r1", "replay-route": "blue"}
    letter = read(held(given | BY_PUBSUB))
    assert replayed(letter) == given | {REPLAYS: "1"}
    assert replayed(read(held(given | {"reason": "x", REPLAYS: "2"}))) == given | {REPLAYS: "3"}
    assert letter.key == "evt_1\nr1"
    assert read(held(GIVEN)).key == "evt_1"


def test_a_selection_takes_what_satisfies_all_of_it() -> None:
    letter = read(held(GIVEN))
    assert Selection(everything=True).takes(letter)
    assert Selection(ids=frozenset({"77"})).takes(letter)
    assert Selection(ids=frozenset({"evt_1"}), type="batch.*").takes(letter)
    assert not Selection(ids=frozenset({"evt_1"}), type="video.*").takes(letter)
    assert not Selection(reason="not-json").takes(letter)
    assert Selection().empty
    assert not Selection(reason="x").empty


def test_a_dead_letter_from_the_future_has_age_zero() -> None:
    assert read(held(GIVEN)).age(NOW - timedelta(seconds=5)) == 0
