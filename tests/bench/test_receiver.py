"""The pauses that lead to a wanted rate."""

import pytest

from bench.receiver import next_pause


def test_the_wanted_rate_keeps_the_pause() -> None:
    assert next_pause(20.0, 1000, 1000, 32) == 20.0


def test_slower_answers_shorten_the_pause() -> None:
    # 32 connections at 800 a second: each takes 40 ms a turn, of which 32 were the pause.
    pause = next_pause(32.0, 800, 1000, 32)
    assert pause + (40 - 32) == pytest.approx(32.0)


def test_a_pause_is_never_negative() -> None:
    assert next_pause(1.0, 100, 10_000, 32) == 0
