import asyncio
import os
import signal

import pytest

from hooks.running import run_until_stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_being_stopped_is_a_normal_end_after_cleaning_up(number: signal.Signals) -> None:
    cleaned = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    run_until_stopped(work())

    assert cleaned == [True]


def test_an_end_of_its_own_is_one_too() -> None:
    ended = []

    async def work() -> None:
        ended.append(True)

    run_until_stopped(work())

    assert ended == [True]


def test_its_errors_are_raised() -> None:
    async def work() -> None:
        raise ValueError("it broke")

    with pytest.raises(ValueError, match="it broke"):
        run_until_stopped(work())
