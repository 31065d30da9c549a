"""Running a command that lasts until somebody stops it."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_stopped(work: Coroutine[object, object, None]) -> None:
    """Run `work` to its end, or until Ctrl-C, SIGTERM or SIGHUP, which cancel it.

    Being stopped so is a normal end. What `work` raises of itself is raised here.
    """
    asyncio.run(_run(work))


async def _run(work: Coroutine[object, object, None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in _STOPS:
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
