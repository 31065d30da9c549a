import asyncio

import pytest

from tests.support.loop_thread import LoopThread


async def _answer() -> int:
    await asyncio.sleep(0)
    return 42


def test_run_returns_the_result_to_another_thread() -> None:
    with LoopThread() as thread:
        assert thread.run(_answer()) == 42


def test_run_raises_what_the_coroutine_raises() -> None:
    async def fail() -> None:
        raise LookupError

    with LoopThread() as thread, pytest.raises(LookupError):
        thread.run(fail())


def test_leaving_cancels_what_still_runs() -> None:
    ended = []

    async def start() -> asyncio.Task[None]:
        async def linger() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        task = asyncio.create_task(linger())
        await asyncio.sleep(0)
        return task

    with LoopThread() as thread:
        task = thread.run(start())
    assert task.cancelled()
    assert ended == [True]
