"""An event loop whose time passes only when nothing is left to do: hours in milliseconds."""

import asyncio
import selectors


class _Selector(selectors.SelectSelector):
    """Moves the clock to the next timer instead of waiting for it; no input or output is polled."""

    clock = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits for another: nothing can happen any more")
        self.clock += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A deterministic loop: the same work takes the same steps at the same times."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.clock


def runner() -> asyncio.Runner:
    """Return what runs coroutines one after the other on one virtual loop."""
    return asyncio.Runner(loop_factory=VirtualLoop)
