"""How long connections rest so that a rate comes out."""

import pytest

from bench.receiver import next_pause


def test_a_rate_that_is_right_keeps_its_pause() -> None:
    assert next_pause(20.0, 1000, 1000, 32) == 20.0


def test_connections_that_answer_late_rest_less() -> None:
    # 32 connections at 800 a second: each takes 40 ms a turn, of which 32 were the pause.
    pause = next_pause(32.0, 800, 1000, 32)
    assert pause + (40 - 32) == pytest.approx(32.0)


def test_nobody_rests_less_than_not_at_all() -> None:
    assert next_pause(1.0, 100, 10_000, 32) == 0
