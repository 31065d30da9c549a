import asyncio
import os
import termios
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hooks.events.listen.chooser import Choice, choosing, keys, pressed
from tests.hooks.events.listen.test_forward import answer

if TYPE_CHECKING:
    from hooks.subscription import Received

UP, DOWN, ENTER = b"\x1b[A", b"\x1b[B", b"\n"
ANSWERS = [replace(answer(), attempt=number) for number in (1, 2, 3)]


def chosen(choice: Choice) -> int | None:
    return choice.chosen.attempt if choice.chosen else None


def test_the_newest_line_is_chosen_until_the_user_moves() -> None:
    choice = Choice()
    assert choice.press(ENTER) is None
    for number, each in enumerate(ANSWERS, 1):
        choice.add(each)
        assert chosen(choice) == number


def test_a_chosen_line_stays_chosen_while_others_come() -> None:
    choice = Choice()
    for each in ANSWERS[:2]:
        choice.add(each)
    choice.press(UP)
    assert chosen(choice) == 1
    choice.add(ANSWERS[2])
    assert chosen(choice) == 1
    assert choice.press(ENTER) is ANSWERS[0]


def test_moves_end_at_the_first_and_the_last_line() -> None:
    choice = Choice()
    choice.press(UP)
    for each in ANSWERS:
        choice.add(each)
    for _ in range(9):
        choice.press(UP)
    assert chosen(choice) == 1
    for _ in range(9):
        choice.press(DOWN)
    assert chosen(choice) == 3


@pytest.mark.parametrize(
    ("typed", "found"),
    [(b"\x1b[A\x1bOB\r", [UP, b"\x1bOB", b"\r"]), (b"x\x1b[Ckj", [b"k", b"j"]), (b"", [])],
)
def test_other_keys_are_ignored(typed: bytes, found: list[bytes]) -> None:
    assert pressed(typed) == found


async def test_keys_of_a_terminal_arrive_at_once_and_it_is_left_as_it_was() -> None:
    ours, terminal = os.openpty()
    before = termios.tcgetattr(terminal)
    got: asyncio.Queue[bytes] = asyncio.Queue()
    with keys(terminal, got.put_nowait):
        assert not termios.tcgetattr(terminal)[3] & (termios.ECHO | termios.ICANON)
        assert termios.tcgetattr(terminal)[3] & termios.ISIG
        os.write(ours, UP + b"\r")
        async with asyncio.timeout(30):
            # A terminal translates the return key.
            assert [await got.get(), await got.get()] == [UP, ENTER]
    assert termios.tcgetattr(terminal) == before
    os.close(ours)
    os.close(terminal)


async def test_enter_sends_the_chosen_line_again(capsys: pytest.CaptureFixture[str]) -> None:
    ours, terminal = os.openpty()
    again: asyncio.Queue[Received] = asyncio.Queue()
    with choosing(terminal, again.put_nowait) as add:
        add(ANSWERS[0])
        os.write(ours, ENTER)
        async with asyncio.timeout(30):
            assert await again.get() is ANSWERS[0].message
    os.close(ours)
    os.close(terminal)
    assert "204" in capsys.readouterr().out
