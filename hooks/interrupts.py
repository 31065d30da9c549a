"""How a command that has no end of its own is stopped."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_stopped(work: Coroutine[object, object, None]) -> None:
    """Run `work` until it returns, or until Ctrl-C, SIGTERM or SIGHUP cancels it.

    A signal is a normal end. Raises what `work` raises.
    """
    asyncio.run(_run(work))


async def _run(work: Coroutine[object, object, None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in _STOPS:
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
