import asyncio
import json
from datetime import UTC, datetime

import pytest

from hooks.laptop.tail import Options, row, tail
from hooks.subscription import Received
from tests.hooks.conftest import Relay

ID = f"evt_{'0123456789abcdef' * 2}"
ATTRIBUTES = {
    "ce-id": ID,
    "ce-type": "interaction.requires_action",
    "ce-subject": "job_0123456789abcdef",
    "ce-source": "//generativelanguage.googleapis.com/projects/my-project",
    "ce-time": "2026-01-22T12:00:00Z",
    "content-type": "application/json",
    "scheme": "v1a",
    "meta-team": "blue",
}


def message(**more: str) -> Received:
    return Received("1", b"{}", ATTRIBUTES | more, datetime(2026, 1, 22, 12, tzinfo=UTC))


def test_in_80_columns_a_message_is_one_row_with_its_whole_id() -> None:
    assert row(message(), 80).plain == f"12:00:00 interaction.requires_action {ID}"
    short = row(message(**{"ce-type": "a.b"}), 80).plain
    assert short == f"12:00:00 {'a.b':<27} {ID}"
    replayed = row(message(**{"ce-type": "-", "replay": "r"}), 84).plain
    assert replayed.endswith(f"{ID} replay=r")


def test_type_time_and_attributes_give_way_before_the_id() -> None:
    assert row(message(), 64).plain == f"interaction.requires_action {ID}"
    assert row(message(), 45).plain == f"12:00:00 {ID}"
    assert row(message(), 20).plain == ID


def test_in_120_columns_nothing_is_left_out_and_lines_break_between_attributes() -> None:
    lines = row(message(replay="r1"), 120).plain.splitlines()
    assert max(map(len, lines)) <= 120
    words = {word for line in lines for word in line.split()}
    expected = {f"{name.removeprefix('ce-')}={value}" for name, value in ATTRIBUTES.items()}
    expected -= {f"id={ID}", "type=interaction.requires_action"}
    assert words == expected | {"replay=r1", "12:00:00", "interaction.requires_action", ID}
    assert lines[0].split()[3:5] == ["replay=r1", "subject=job_0123456789abcdef"]


@pytest.mark.parametrize(
    ("types", "shown"),
    [
        ((), True),
        (("interaction.*",), True),
        (("batch.*", "*.requires_action"), True),
        (("x",), False),
    ],
)
def test_any_of_the_types_is_enough(types: tuple[str, ...], shown: bool) -> None:
    options = Options(
        topic="events", types=types, message_filter="", count=0, payload=False, as_json=False
    )
    assert options.takes(message()) is shown


async def test_the_events_of_a_deployment_are_shown_too(
    relay: Relay, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(
        topic="blue", types=(), message_filter="", count=1, payload=False, as_json=True
    )
    tailing = asyncio.create_task(tail(relay.deployment, options))
    while not any("/hooks-tail" in each for each in await relay.subscriptions()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    event = await relay.receive(1)
    await tailing
    assert json.loads(capsys.readouterr().out)["attributes"]["ce-id"] == event
