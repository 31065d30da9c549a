"""An event loop in a thread of its own, which lets code that blocks call code that awaits."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

Answer = TypeVar("Answer")

_END = object()


class BackgroundLoop:
    """Runs coroutines for any number of threads, also for one whose own event loop is running.

    The thread starts with the first call, ends with `close`, and never keeps a process alive. After
    `close` every call raises `RuntimeError`.
    """

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Return what `work` returns, or raise what it raises.

        What interrupts the waiting thread (Ctrl-C) cancels `work`. Raises `RuntimeError` in the
        loop's own thread, which would wait for itself.
        """
        try:
            loop = self._running()
        except RuntimeError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[Answer]) -> Iterator[Answer]:
        """Yield what `items` yields; closing the iterator closes `items`."""
        try:
            while True:
                item = self.run(_next(items))
                if item is _END:
                    return
                yield item
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                self.run(close())

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Cancel what runs, and end the thread."""
        with self._starting:
            self._closed = True
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._closed:
                raise RuntimeError("it is closed")
            if threading.current_thread() is self._thread:
                raise RuntimeError("called from within a call of its own")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=[self._loop], name="gemini-relay", daemon=True
                )
                self._thread.start()
            return self._loop


async def _next(items: AsyncIterator[Any]) -> Any:
    return await anext(items, _END)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        with contextlib.suppress(RuntimeError):
            loop.close()
