from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.jobs.names import BATCH, INTERACTION, KINDS, VIDEO
from relay.jobs.states import (
    event_outcome,
    event_status,
    first_look,
    is_action,
    is_end,
    next_look,
    normal_status,
    outcome,
)

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)

ENDS = {
    "batch.succeeded": "succeeded",
    "batch.completed": "succeeded",
    "batch.failed": "failed",
    "batch.cancelled": "cancelled",
    "batch.expired": "expired",
    "interaction.completed": "succeeded",
    "interaction.failed": "failed",
    "interaction.cancelled": "cancelled",
    "interaction.incomplete": "incomplete",
    "interaction.budget_exceeded": "incomplete",
    "video.generated": "succeeded",
    "video.failed": "failed",
}
GOES_ON = [
    "interaction.requires_action",
    "interaction.idle",
    "batch.running",
    "batch.succeeded.twice",
    "video.succeeded",
    "relay.job.lost",
    "succeeded",
    "",
]


@pytest.mark.parametrize(("event_type", "result"), ENDS.items())
def test_an_end_has_an_outcome(event_type: str, result: str) -> None:
    kind, _, status = event_type.partition(".")
    assert event_outcome(event_type) == outcome(kind, status) == result
    assert event_status(event_type) == status
    for each in KINDS:
        assert is_end(each, event_type) is (each == kind)
        assert not is_action(each, event_type)


@pytest.mark.parametrize("event_type", GOES_ON)
def test_any_other_event_ends_nothing(event_type: str) -> None:
    assert event_outcome(event_type) is None
    for kind in KINDS:
        assert not is_end(kind, event_type)
        asks = event_type == "interaction.requires_action" and kind == INTERACTION
        assert is_action(kind, event_type) is asks


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("BATCH_STATE_SUCCEEDED", "succeeded"),
        ("JOB_STATE_RUNNING", "running"),
        ("in_progress", "in_progress"),
        ("BRAND_NEW", "brand_new"),
    ],
)
def test_a_status_has_one_form(word: str, status: str) -> None:
    assert normal_status(word) == status


@pytest.mark.parametrize(
    ("kind", "target", "minutes"),
    [
        (VIDEO, "veo-3", 10),
        (INTERACTION, "gemini-3-pro", 15),
        (INTERACTION, None, 15),
        (INTERACTION, "deep-research-pro-preview", 30),
        (BATCH, "deep-research-pro-preview", 60),
        ("", None, 360),
    ],
)
def test_the_first_look_depends_on_the_job(kind: str, target: str | None, minutes: int) -> None:
    assert first_look(kind, target) == timedelta(minutes=minutes)
    assert next_look(kind, target, NOW, NOW) == NOW + timedelta(minutes=minutes)
    assert next_look(kind, target, None, NOW) == NOW + timedelta(minutes=minutes)


def test_the_pauses_double_up_to_six_hours() -> None:
    now, pauses = NOW + first_look(VIDEO, None), list[timedelta]()
    while not pauses or pauses[-1] < timedelta(hours=6):
        pauses.append(next_look(VIDEO, None, NOW, now) - now)
        now += pauses[-1]
    minutes = [pause / timedelta(minutes=1) for pause in pauses]
    assert minutes == [10, 20, 40, 80, 160, 320, 360]


@given(
    st.sampled_from(sorted(KINDS)),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.datetimes(max_value=datetime(9000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_pause_has_bounds_whatever_the_clock_says(
    kind: str, start: datetime | None, now: datetime
) -> None:
    pause = next_look(kind, None, start, now) - now
    assert first_look(kind, None) <= pause <= timedelta(hours=6)
