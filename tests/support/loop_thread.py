"""An event loop in a thread of its own, for tests whose clients block."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs an event loop in a daemon thread while a `with` block lasts.

    An embedded emulator lives on that loop while the synchronous clients under test block this
    thread. Leaving the block cancels what still runs there and waits for the thread to end.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="loop-thread", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def run(self, work: Coroutine[object, object, T], timeout: float = 30.0) -> T:
        """Run a coroutine on the loop and return its result, from any other thread.

        Raises what it raises, and `TimeoutError` after `timeout` seconds.
        """
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(_cancel_the_rest())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
