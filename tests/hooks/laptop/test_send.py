from pathlib import Path
from typing import Any

import httpx2
import pytest

from hooks import state
from hooks.errors import HooksError, NoStack, UsageError
from hooks.laptop import send as sending
from hooks.laptop.send import Sent, parse_time
from tests.hooks.test_state import RUNNING

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("-10m", NOW - 600),
        ("+1h", NOW + 3600),
        ("-2d", NOW - 172_800),
        ("-30s", NOW - 30),
        ("1769083200", 1_769_083_200),
        ("2026-01-22T12:00:00Z", 1_769_083_200),
        ("2026-01-22T13:00:00+01:00", 1_769_083_200),
    ],
)
def test_a_time_may_be_written_in_many_ways(text: str, seconds: float) -> None:
    assert parse_time(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10m", "-10", "-10y", "2026-01-22T12:00:00", "1e9"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="-10m"):
        parse_time(text, NOW)


def delivery(*statuses: int | None, forgery: str | None = None) -> dict[str, Any]:
    attempts = [{"status": status, "error": None if status else "Gone"} for status in statuses]
    return {
        "type": "batch.failed",
        "scheme": "v1",
        "webhook_id": "evt_1",
        "state": "delivered" if statuses and statuses[-1] == 200 else "pending",
        "forgery": forgery,
        "attempts": attempts,
    }


@pytest.mark.parametrize(
    ("sent", "as_wanted"),
    [
        (Sent([delivery(200)], chosen_time=False), True),
        (Sent([delivery(503, 200)], chosen_time=False), True),
        (Sent([delivery(200), delivery(401)], chosen_time=False), False),
        (Sent([delivery()], chosen_time=False), False),
        (Sent([delivery(401, forgery="wrong-key")], chosen_time=False), True),
        (Sent([delivery(200, forgery="wrong-key")], chosen_time=False), False),
        (Sent([delivery(503, forgery="wrong-key")], chosen_time=False), False),
        (Sent([delivery(None, forgery="wrong-key")], chosen_time=False), False),
        (Sent([delivery(401)], chosen_time=True), True),
        (Sent([delivery(None)], chosen_time=True), False),
    ],
)
def test_what_is_wanted_depends_on_what_was_sent(sent: Sent, as_wanted: bool) -> None:
    assert sent.as_wanted is as_wanted


def test_what_became_of_it_is_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    forged = delivery(401, forgery="wrong-key")
    sending.show(Sent([delivery(None, 200), forged, delivery()], chosen_time=False), as_json=False)

    first, second, third = capsys.readouterr().out.splitlines()
    assert first.split() == ["batch.failed", "v1", "evt_1", "Gone", "200"]
    assert second.split()[-2:] == ["401", "(wrong-key)"]
    assert third.endswith("no answer yet")


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_stack_nothing_is_sent(beside: Path) -> None:
    with pytest.raises(NoStack, match=str(beside)):
        sending.send("batch.failed", "v1")


@pytest.mark.parametrize(
    "wrong",
    [{"user_metadata": ["x"]}, {"body": Path("nowhere")}, {"forge": "?"}, {"forge": "un"}],
)
def test_what_cannot_be_sent_is_refused(beside: Path, wrong: dict[str, Any]) -> None:
    with state.claimed(beside) as claim:
        claim.announce(RUNNING)
        with pytest.raises(UsageError):
            sending.send("batch.failed", "v1a", **wrong)


def test_a_stack_that_does_not_answer_is_reported(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise httpx2.ConnectError("refused")

    monkeypatch.setattr(httpx2.Client, "post", refuse)
    with state.claimed(beside) as claim:
        claim.announce(RUNNING)
        with pytest.raises(HooksError, match="does not answer"):
            sending.send("batch.failed", "v1")
