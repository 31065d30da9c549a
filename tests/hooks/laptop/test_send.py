from pathlib import Path
from typing import Any

import httpx2
import pytest

from hooks import stackfile
from hooks.errors import HooksError, NoStack, UsageError
from hooks.laptop import send as sender
from hooks.laptop.send import Event, Sent
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
        (Sent([delivery(200)]), True),
        (Sent([delivery(503, 200)]), True),
        (Sent([delivery(200), delivery(401)]), False),
        (Sent([delivery()]), False),
        (Sent([delivery(401, forgery="wrong-key")]), True),
        (Sent([delivery(200, forgery="wrong-key")]), False),
        (Sent([delivery(503, forgery="wrong-key")]), False),
        (Sent([delivery(None, forgery="wrong-key")]), False),
        (Sent([delivery(401)]), False),
        (Sent([]), False),
    ],
)
def test_success_depends_on_what_was_sent(sent: Sent, as_wanted: bool) -> None:
    assert sent.as_wanted is as_wanted


def test_each_delivery_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    forged = delivery(401, forgery="wrong-key")
    sender.show(Sent([delivery(None, 200), forged, delivery()]), as_json=False)

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
        sender.send(Event(type="batch.failed"))


@pytest.mark.parametrize(
    "wrong",
    [{"user_metadata": ["x"]}, {"body": Path("nowhere")}, {"forge": "?"}, {"forge": "un"}],
)
def test_what_cannot_be_sent_is_refused(beside: Path, wrong: dict[str, Any]) -> None:
    with stackfile.locked(beside) as file:
        file.announce(RUNNING)
        with pytest.raises(UsageError):
            sender.send(Event(type="batch.failed", scheme="v1a", **wrong))


def test_a_stack_that_does_not_answer_is_reported(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise httpx2.ConnectError("refused")

    monkeypatch.setattr(httpx2.Client, "request", refuse)
    with stackfile.locked(beside) as file:
        file.announce(RUNNING)
        with pytest.raises(HooksError, match="does not answer"):
            sender.send(Event(type="batch.failed"))


def test_an_unknown_type_is_refused_with_the_one_that_is_meant(beside: Path) -> None:
    with stackfile.locked(beside) as file:
        file.announce(RUNNING)
        with pytest.raises(UsageError, match=r"did you mean batch.succeeded\?.*--force"):
            sender.send(Event(type="batch.suceeded"))
        with pytest.raises(HooksError, match="does not answer"):
            sender.send(Event(type="batch.suceeded", unknown=True))
