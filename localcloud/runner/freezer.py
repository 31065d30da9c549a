"""Stops a function's processes while it has no request in flight, as Cloud Run does.

Under request-based billing an instance has CPU while it starts, while it handles a request, and
after SIGTERM: https://cloud.google.com/run/docs/configuring/billing-settings. A stop is immediate
here, at whatever instruction the function is once its answer has come.
"""

import contextlib
import os
import signal
from collections.abc import Iterator


class Freezer:
    """Stops and continues one process group; does nothing while it has none."""

    def __init__(self) -> None:
        self._group: int | None = None
        self._in_flight = 0
        self._stalled = False

    def watch(self, group: int) -> None:
        """Begin with a process group that has started."""
        self._group = group
        self._apply()

    def release(self) -> None:
        """Let the group run from now on, to its end."""
        group, self._group = self._group, None
        if group:
            _signal(group, signal.SIGCONT)

    def forget(self) -> None:
        """Leave a group alone that has ended."""
        self._group = None

    def enter(self) -> None:
        """Count a request that has come."""
        self._in_flight += 1
        if self._in_flight == 1:
            self._apply()

    def leave(self) -> None:
        """Count a request that is over."""
        self._in_flight -= 1
        if self._in_flight == 0:
            self._apply()

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Stop the group for the block, whatever it has in flight."""
        self._stalled = True
        self._apply()
        try:
            yield
        finally:
            self._stalled = False
            self._apply()

    def _apply(self) -> None:
        if self._group:
            running = self._in_flight and not self._stalled
            _signal(self._group, signal.SIGCONT if running else signal.SIGSTOP)


def _signal(group: int, number: signal.Signals) -> None:
    # It may have ended a moment before; macOS answers EPERM if its leader is yet to be reaped.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
