from datetime import UTC, datetime

import pytest

from hooks.events.listen.forward import Answer, row
from hooks.subscription import Received

ID = f"evt_{'0123456789abcdef' * 2}"
NOON = datetime(2026, 1, 22, 12, tzinfo=UTC)


def answer(status: int | None = 204, *, attempt: int = 1, error: str = "") -> Answer:
    attributes = {"ce-id": ID, "ce-type": "interaction.requires_action"}
    message = Received("1", b"{}", attributes, NOON)
    return Answer(message, attempt, NOON.timestamp(), 0.0123, status, error)


def test_in_80_columns_an_answer_is_one_row_with_its_whole_id() -> None:
    assert row(answer(), 80).plain == f"interaction.requires_action {ID} 204 12 ms"
    assert row(answer(None, error="refused"), 80).plain == (
        f"interaction.requires_action {ID} no answer 12 ms"
    )


def test_where_there_is_room_nothing_is_left_out() -> None:
    assert row(answer(None, attempt=3, error="refused"), 120).plain == (
        f"12:00:00 interaction.requires_action {ID} no answer 12 ms attempt 3 refused"
    )


def test_the_id_and_the_status_stay() -> None:
    assert row(answer(), 20).plain == f"{ID} 204"


@pytest.mark.parametrize(
    ("status", "accepted"), [(200, True), (204, True), (302, False), (500, False), (None, False)]
)
def test_what_pubsub_takes_for_an_acknowledgement(status: int | None, accepted: bool) -> None:
    assert answer(status).accepted is accepted
