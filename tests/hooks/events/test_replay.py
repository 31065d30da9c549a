from datetime import UTC, datetime

from hooks.dlq.holding import Held
from hooks.events.replay import Originals, repeats
from hooks.events.retained import Selection

GIVEN = {"webhook-id": "evt_1", "dedup-key": "evt_1"}


def test_a_repeat_bears_the_replay() -> None:
    assert repeats(GIVEN, "r", []) == [GIVEN | {"replay": "r"}]


def test_a_repeat_for_each_route_is_known_to_the_ledger_by_itself() -> None:
    assert repeats(GIVEN, "r", ["blue"]) == [GIVEN | {"replay": "r", "replay-route": "blue"}]
    both = repeats(GIVEN, "r", ["blue", "events"])
    assert [each["replay-route"] for each in both] == ["blue", "events"]
    assert len({each["replay"] for each in both}) == 2


def test_a_repeat_has_not_been_a_dead_letter() -> None:
    assert repeats(GIVEN | {"dead-letter-replays": "3"}, "r", []) == [GIVEN | {"replay": "r"}]


def test_each_event_is_an_original_once() -> None:
    now = datetime.now(UTC)
    originals = Originals(Selection())
    messages = [
        Held("1", "m1", b"", GIVEN, now),
        Held("2", "m2", b"", GIVEN, now),
        Held("3", "m3", b"", {}, now),
        Held("4", "m4", b"", {"replay": "r"}, now),
    ]
    assert [each.ack_id for each in originals.of(messages)] == ["1", "3"]
    assert list(originals.of(messages)) == []
