"""Counts refusals for the log, so that nobody can flood it."""

import asyncio
from collections import Counter

from relay.log import Severity, log

PERIOD = 10.0
"""Seconds in which one reason makes at most one line."""


class Refusals:
    """Logs the first refusal of each reason at once, and the next ones as one line a period.

    Every refusal is counted in exactly one line's `count`, except those of the last period before a
    stop. Reasons are constants, hence few. Must be used on an event loop.
    """

    def __init__(self, period: float = PERIOD) -> None:
        self._period = period
        self._counts: Counter[tuple[Severity, str]] = Counter()

    def add(self, severity: Severity, reason: str) -> None:
        """Count one refusal."""
        kind = (severity, reason)
        if kind in self._counts:
            self._counts[kind] += 1
            return
        _write(severity, reason, 1)
        self._open(kind)

    def _open(self, kind: tuple[Severity, str]) -> None:
        self._counts[kind] = 0
        asyncio.get_running_loop().call_later(self._period, self._close, kind)

    def _close(self, kind: tuple[Severity, str]) -> None:
        count = self._counts.pop(kind)
        if count:
            _write(*kind, count)
            self._open(kind)


def _write(severity: Severity, reason: str, count: int) -> None:
    log(severity, "delivery refused", reason=reason, count=count)
