from datetime import UTC, datetime, timedelta

import pytest
from google.pubsub_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from hooks.events.retained import Selection, earliest, message_filter
from hooks.leases import LeasedMessage
from localcloud.pubsub.filter_parser import parse_filter

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=300)


def message(**attributes: str) -> LeasedMessage:
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return LeasedMessage("ack", "1", b'{"type": "batch.failed"}', named, NOW)


@given(st.sets(IDS, max_size=5))
def test_the_filter_gives_every_event_that_is_wanted_and_no_repeat(ids: set[str]) -> None:
    parsed = parse_filter(message_filter(ids))
    for each in ids:
        assert parsed.matches({"webhook-id": each})
        assert not parsed.matches({"webhook-id": each, "replay": "r"})


def test_the_filter_names_few_events_and_no_others() -> None:
    assert not parse_filter(message_filter({"evt_1"})).matches({"webhook-id": "evt_2"})
    assert message_filter([f"evt_{number}" for number in range(50)]) == "NOT attributes:replay"
    types.Subscription(filter=message_filter({'"\\'}))


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, NOW - 7 * DAY),
        (NOW - 30 * DAY, NOW - 7 * DAY),
        (NOW - DAY, NOW - DAY - timedelta(minutes=2)),
    ],
)
def test_reading_begins_two_minutes_early_within_the_retention(
    since: datetime | None, expected: datetime
) -> None:
    assert earliest(NOW, 7 * DAY, since) == expected


def test_a_selection_takes_what_satisfies_all_of_it() -> None:
    early = (NOW - DAY).isoformat()
    assert Selection().takes(message())
    assert not Selection().takes(message(replay="r"))
    assert Selection(ids=frozenset({"a"})).takes(message(webhook_id="a"))
    assert not Selection(ids=frozenset({"a"})).takes(message(webhook_id="b"))
    assert Selection(type="batch.*").takes(message())
    assert not Selection(type="video.*").takes(message())
    assert Selection(since=NOW, until=NOW + DAY).takes(message())
    assert not Selection(until=NOW).takes(message())
    assert not Selection(since=NOW).takes(message(received_at=early))
    assert Selection(until=NOW).takes(message(received_at=early))
    assert Selection(since=NOW).takes(message(received_at="yesterday"))
