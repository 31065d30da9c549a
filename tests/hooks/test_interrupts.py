import asyncio
import os
import signal

import pytest

from hooks.interrupts import run_until_stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_normal_end_after_cleanup(number: signal.Signals) -> None:
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


def test_work_that_ends_by_itself_ends_the_command() -> None:
    ended = []

    async def work() -> None:
        ended.append(True)

    run_until_stopped(work())

    assert ended == [True]


def test_errors_of_the_work_are_raised() -> None:
    async def work() -> None:
        raise ValueError("it broke")

    with pytest.raises(ValueError, match="it broke"):
        run_until_stopped(work())
