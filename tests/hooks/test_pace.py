import asyncio

from hooks.pace import Pace
from localcloud.core.clock import ManualClock


async def test_the_rate_bounds_messages_per_second() -> None:
    clock = ManualClock(0.0)
    pace = Pace(20, clock)
    passed: list[float] = []

    async def send() -> None:
        for _ in range(4):
            await pace.wait(pace.batch)
            passed.append(clock.time())

    task = asyncio.create_task(send())
    await clock.advance(10)
    await task
    assert passed == [0, 1, 2, 3]


async def test_unused_rate_is_not_saved_up() -> None:
    clock = ManualClock(0.0)
    pace = Pace(1, clock)
    await pace.wait(1)
    await clock.advance(100)
    await pace.wait(1)
    waiting = asyncio.create_task(pace.wait(1))
    await clock.advance(0.5)
    assert not waiting.done()
    await clock.advance(0.5)
    assert waiting.done()


async def test_without_a_rate_nothing_waits() -> None:
    pace = Pace(0, ManualClock())
    assert pace.batch == 100
    for _ in range(1000):
        await pace.wait(100)


def test_a_batch_is_at_most_a_second_or_a_hundred() -> None:
    assert [Pace(rate, ManualClock()).batch for rate in (0.1, 1, 7.9, 5000)] == [1, 1, 7, 100]
