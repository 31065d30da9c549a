import asyncio

from localcloud.core.clock import ManualClock
from localcloud.core.fast_clock import FastClock


async def test_time_passes_faster_from_the_same_moment_on() -> None:
    slow = ManualClock(1000.0)
    fast = FastClock(slow, rate=20)
    assert fast.time() == 1000.0
    sleeping = asyncio.create_task(fast.sleep(60))
    await slow.advance(2.9)
    assert not sleeping.done()
    await slow.advance(0.1)
    assert sleeping.done()
    assert fast.time() == 1060.0
