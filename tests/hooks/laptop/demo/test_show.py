import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from hooks.laptop.demo.account import Account, Check, Refusal
from hooks.laptop.demo.narrator import Silent, Teller
from hooks.laptop.demo.run import Shown
from hooks.laptop.demo.show import show
from hooks.subscription import Received
from tests.hooks.laptop.demo.test_account import ONE, delivery


def shown(*, holds: bool) -> Shown:
    account = Account(
        events=2,
        deliveries=4,
        accepted=3,
        stored=3,
        duplicates_dropped=1,
        refusals=[Refusal("wrong-key", 1, 1, [401])],
        heard={"ingress": 3, "events": 2, "blue": 1, "subscriber": 1, "dead-letter": 0},
        lost=[] if holds else ["evt_1"],
        surplus=[],
        checks=[Check("no event was lost", holds, "0 missing")],
    )
    entry = '{"severity":"ERROR","message":"publish failed","route":"blue"}'
    return Shown(account, 9.25, [("dispatch", entry)])


def printed(outcome: Shown, width: int = 100) -> str:
    written = io.StringIO()
    show(outcome, Console(width=width, file=written), width)
    return written.getvalue()


def test_the_verdict_comes_last() -> None:
    lines = printed(shown(holds=True)).splitlines()

    assert lines[-1] == (
        "It adds up: 3 accepted, 1 duplicates dropped, 1 refused, 2 fanned out, 0 lost (9.2 s)"
    )
    assert any("wrong-key" in line and "1 refused (401)" in line for line in lines)
    assert not any("publish failed" in line for line in lines)


def test_a_failure_explains_itself() -> None:
    text = printed(shown(holds=False))

    assert "FAILS" in text
    assert "publish failed" in text
    assert "route=blue" in text
    assert text.splitlines()[-1].startswith("It DOES NOT add up: ")


def told(width: int) -> list[str]:
    """Return what the teller prints, line by line."""
    written = io.StringIO()
    teller = Teller(Console(width=width, file=written), width)
    attributes = {"ce-id": ID, "ce-type": "interaction.requires_action", "scheme": "mixed"}
    message = Received("1", b"", attributes, datetime.now(UTC))
    teller.step("It begins")
    teller.delivery(ONE)
    teller.delivery(delivery(ID, 401, event_type=LONG, scheme="mixed", forgery="future-timestamp"))
    for name in ("ingress", "events", "blue", "subscriber"):
        teller.heard(name, message)
    return written.getvalue().strip().splitlines()


ID = f"evt_{'0123456789abcdef' * 2}"
LONG = "interaction.requires_action"


def test_a_row_shows_a_hop_with_its_answer() -> None:
    heading, accepted, refused, *arrivals = told(120)
    assert heading == "It begins"
    assert accepted.split() == ["Gemini", "─▶", "receive", "batch.succeeded", "v1", "one", "200"]
    assert refused.split() == [
        "Gemini",
        "─▶",
        "receive",
        LONG,
        "mixed",
        ID,
        "401",
        "future-timestamp",
    ]
    assert [line.split("─▶")[1].split("inter")[0].strip() for line in arrivals] == [
        "events topic",
        "route blue",
        "subscriber",
    ]


def test_in_80_columns_every_row_is_one_row() -> None:
    _, accepted, refused, *arrivals = lines = told(80)
    assert max(map(len, lines)) <= 80
    assert len(lines) == 6
    assert refused.split() == ["receive", LONG, "mixed", "401", "future-timestamp"]
    assert accepted.split()[-1] == "200"
    assert all(LONG in line for line in arrivals)


def test_in_80_columns_the_verdict_breaks_between_words() -> None:
    lines = printed(shown(holds=True), 80).splitlines()
    assert max(map(len, lines)) <= 80
    verdict = next(number for number, line in enumerate(lines) if line.startswith("It adds up"))
    assert " ".join(line.strip() for line in lines[verdict:]).endswith("0 lost (9.2 s)")


def test_the_silent_narrator_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.step("x")
    silent.delivery(ONE)
    silent.heard("events", Received("1", b"", {}, datetime.now(UTC)))

    assert capsys.readouterr() == ("", "")
