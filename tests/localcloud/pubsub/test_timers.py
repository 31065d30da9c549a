import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from localcloud.core.clock import ManualClock
from localcloud.pubsub.timers import Timers


@pytest.fixture
async def timers(clock: ManualClock) -> AsyncIterator[Timers]:
    timers = Timers(clock)
    yield timers
    await timers.close()


async def test_callbacks_come_in_the_order_of_their_times(
    clock: ManualClock, timers: Timers
) -> None:
    fired: list[tuple[str, float]] = []
    start = clock.time()

    def note(name: str) -> None:
        fired.append((name, clock.time() - start))

    for name, seconds in (("c", 3), ("a", 1), ("b", 2), ("at once", 0)):
        timers.after(seconds, partial(note, name))
    await clock.advance(10)
    assert fired == [("at once", 0), ("a", 1), ("b", 2), ("c", 3)]


async def test_a_cancelled_timer_is_silent(clock: ManualClock, timers: Timers) -> None:
    fired: list[str] = []
    timers.after(1, lambda: fired.append("cancelled")).cancel()
    timers.after(1, lambda: fired.append("kept"))
    await clock.advance(1)
    assert fired == ["kept"]


async def test_a_callback_may_set_a_timer(clock: ManualClock, timers: Timers) -> None:
    fired: list[float] = []
    start = clock.time()

    def again() -> None:
        fired.append(clock.time() - start)
        timers.after(2, again)

    timers.after(1, again)
    await clock.advance(6)
    assert fired == [1, 3, 5]


async def test_an_error_in_one_callback_stops_no_other(clock: ManualClock, timers: Timers) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    fired: list[str] = []
    timers.after(1, lambda: [].pop())
    timers.after(1, lambda: fired.append("next"))
    await clock.advance(1)
    assert fired == ["next"]
    assert isinstance(reported[0]["exception"], IndexError)


async def test_closing_forgets_every_timer(clock: ManualClock) -> None:
    timers = Timers(clock)
    fired: list[str] = []
    timers.after(1, lambda: fired.append("never"))
    await timers.close()
    await clock.advance(2)
    assert fired == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
