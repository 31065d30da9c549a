from pathlib import Path
from typing import Any

import httpx2
import pytest

from hooks import stackfile
from hooks.errors import HooksError, NoStack, UsageError
from hooks.laptop import send as sender
from hooks.laptop.send import Sent
from tests.hooks.test_stackfile import RUNNING


def delivery(*statuses: int | None, forgery: str | None = None) -> dict[str, Any]:
    attempts = [{"status": status, "error": None if status else "Gone"} for status in statuses]
    return {
        "type": "batch.failed",
        "scheme": "v1",
        "webhook_id": "evt_1",
        "event_id": "evt_1",
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
def test_success_depends_on_what_was_sent(sent: Sent, as_wanted: bool) -> None:
    assert sent.as_wanted is as_wanted


def test_each_delivery_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    forged = delivery(401, forgery="wrong-key")
    sender.show(Sent([delivery(None, 200), forged, delivery()], chosen_time=False), as_json=False)

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
        sender.send("batch.failed", "v1")


@pytest.mark.parametrize(
    "wrong",
    [{"user_metadata": ["x"]}, {"body": Path("nowhere")}, {"forge": "?"}, {"forge": "un"}],
)
def test_what_cannot_be_sent_is_refused(beside: Path, wrong: dict[str, Any]) -> None:
    with stackfile.locked(beside) as file:
        file.announce(RUNNING)
        with pytest.raises(UsageError):
            sender.send("batch.failed", "v1a", **wrong)


def test_a_stack_that_does_not_answer_is_reported(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise httpx2.ConnectError("refused")

    monkeypatch.setattr(httpx2.Client, "post", refuse)
    with stackfile.locked(beside) as file:
        file.announce(RUNNING)
        with pytest.raises(HooksError, match="does not answer"):
            sender.send("batch.failed", "v1")
