from datetime import UTC, datetime

from hooks.events.replay import Originals, repeats, replay_id, replayed_at
from hooks.events.retained import Selection
from hooks.leases import LeasedMessage

GIVEN = {"webhook-id": "evt_1", "dedup-key": "evt_1"}


def test_a_replays_id_states_its_time() -> None:
    now = datetime(2026, 1, 22, 12, tzinfo=UTC)
    assert replayed_at(replay_id(now)) == now
    assert replayed_at("by-hand") is None


def test_a_repeat_bears_the_replay() -> None:
    assert repeats(GIVEN, "r", []) == [GIVEN | {"replay": "r"}]


def test_each_route_gets_its_own_replay_mark() -> None:
    assert repeats(GIVEN, "r", ["blue"]) == [GIVEN | {"replay": "r", "replay-route": "blue"}]
    both = repeats(GIVEN, "r", ["blue", "events"])
    assert [each["replay-route"] for each in both] == ["blue", "events"]
    assert len({each["replay"] for each in both}) == 2


def test_a_repeat_drops_the_count_of_dead_letter_replays() -> None:
    assert repeats(GIVEN | {"dead-letter-replays": "3"}, "r", []) == [GIVEN | {"replay": "r"}]


def test_each_event_is_an_original_once() -> None:
    now = datetime.now(UTC)
    originals = Originals(Selection())
    messages = [
        LeasedMessage("1", "m1", b"", GIVEN, now),
        LeasedMessage("2", "m2", b"", GIVEN, now),
        LeasedMessage("3", "m3", b"", {}, now),
        LeasedMessage("4", "m4", b"", {"replay": "r"}, now),
    ]
    assert [each.ack_id for each in originals.of(messages)] == ["1", "3"]
    assert list(originals.of(messages)) == []
