import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from relay.dispatcher.stopping import Stopping


@pytest.fixture
def handler() -> Iterator[list[int]]:
    """A server's own handler of SIGUSR1, and what it has seen."""
    seen: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGUSR1, handle)
    yield seen
    signal.signal(signal.SIGUSR1, before)


async def work(stopping: Stopping, deadline: float) -> str:
    try:
        async with stopping.limit(deadline):
            await asyncio.sleep(3600)
    except TimeoutError:
        return "cut short"
    return "done"


async def test_without_a_stop_the_deadline_holds() -> None:
    assert await work(Stopping(0.0), asyncio.get_running_loop().time()) == "cut short"


async def test_a_stop_after_the_work_changes_nothing() -> None:
    stopping = Stopping(0.0)
    async with stopping.limit(float("inf")):
        pass
    stopping.begin()


async def test_a_stop_ends_current_and_later_work() -> None:
    stopping = Stopping(0.0)
    under_way = asyncio.create_task(work(stopping, float("inf")))
    await asyncio.sleep(0)
    stopping.begin()
    assert await under_way == "cut short"
    assert await work(stopping, float("inf")) == "cut short"


async def test_a_stop_never_extends_a_deadline() -> None:
    stopping = Stopping(3600.0)
    under_way = asyncio.create_task(work(stopping, asyncio.get_running_loop().time() + 0.01))
    await asyncio.sleep(0)
    stopping.begin()
    assert await under_way == "cut short"


async def test_a_second_stop_gives_no_more_time() -> None:
    stopping = Stopping(0.0)
    stopping.begin()
    stopping.begin()
    assert await work(stopping, float("inf")) == "cut short"


async def test_a_stop_leaves_expired_limits_alone() -> None:
    stopping = Stopping(0.0)

    async def stubborn() -> None:
        async with stopping.limit(asyncio.get_running_loop().time()):
            try:
                await asyncio.sleep(3600)
            finally:
                stopping.begin()

    with pytest.raises(TimeoutError):
        await stubborn()


async def test_the_signal_stops_and_reaches_the_server_too(handler: list[int]) -> None:
    stopping = Stopping(0.0)
    stopping.on_signal(signal.SIGUSR1)
    under_way = asyncio.create_task(work(stopping, float("inf")))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert await under_way == "cut short"
    assert handler == [signal.SIGUSR1]


@pytest.mark.usefixtures("handler")
async def test_a_signal_that_nobody_handled_before() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    stopping = Stopping(0.0)
    stopping.on_signal(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert await work(stopping, float("inf")) == "cut short"


def test_a_signal_after_the_loop_has_closed_reaches_the_server(handler: list[int]) -> None:
    async def install() -> None:
        Stopping(0.0).on_signal(signal.SIGUSR1)

    asyncio.run(install())
    os.kill(os.getpid(), signal.SIGUSR1)
    assert handler == [signal.SIGUSR1]


def test_no_handler_is_installed_outside_the_main_thread(handler: list[int]) -> None:
    async def install() -> None:
        Stopping(0.0).on_signal(signal.SIGUSR1)

    thread = threading.Thread(target=lambda: asyncio.run(install()))
    thread.start()
    thread.join()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert handler == [signal.SIGUSR1]
