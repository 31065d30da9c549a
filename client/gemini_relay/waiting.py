"""Waits for jobs: reads the ledger often, and asks Gemini rarely.

A lost event delays a wait until Gemini is asked, and never hangs it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gemini_relay.errors import NotFound, Unavailable, WaitTimeout
from gemini_relay.job import Job
from gemini_relay.lookup import Lookup, updated
from relay.jobs import names, states

Until = Literal["end", "action"]

_ASKED_AT_ONCE = 8
_GRACE = 5.0
"""Seconds that a first look takes at most, whatever the time-out."""
_READ_FIRST, _READ_LAST, _READ_GROWTH = 1.0, 5.0, 1.25


@dataclass
class Pace:
    """When a job is asked about next, in seconds of a monotonic clock.

    5 s at first, half as long again each time, at most 60 s; of a batch 30 s to 300 s.
    """

    due: float
    pause: float
    longest: float

    @classmethod
    def of(cls, kind: str, now: float, *, alone: bool) -> "Pace":
        """Return the pace for a kind of job; `alone`: without a ledger, Gemini is asked at once."""
        pause, longest = (30.0, 300.0) if kind == names.BATCH else (5.0, 60.0)
        return cls(now if alone else now + pause, pause, longest)

    def asked(self, now: float) -> None:
        """Set the time of the next question."""
        self.due = now + self.pause
        self.pause = min(self.pause * 1.5, self.longest)


class Waiter:
    """Waits for jobs to end, or to need an action."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._clock = lookup.clock

    async def wait(self, jobs: Sequence[Job], timeout: float | None, until: Until) -> list[Job]:
        """Return the jobs, in order, as soon as all of them are where `until` says.

        Raises `WaitTimeout` after `timeout` seconds, `NotFound` for a job that Gemini knows no
        longer, `Refused` where Gemini refuses to be asked, and without a ledger `StartUnknown` for
        a job that has no name and is no batch.
        """
        if until not in {"end", "action"}:
            raise ValueError("until must be 'end' or 'action'")
        start = self._clock.monotonic()
        current = list(jobs)
        alone = self._lookup.ledger is None
        paces = [Pace.of(job.kind, start, alone=alone) for job in current]
        pause = _READ_FIRST
        while True:
            # One call that hangs must not hold up the time-out.
            async with contextlib.AsyncExitStack() as patience:
                if timeout is not None:
                    left = start + timeout - self._clock.monotonic()
                    await patience.enter_async_context(_at_most(max(left, _GRACE)))
                await self._read(current, until)
                await self._ask(current, paces, self._clock.monotonic(), until)
            waiting = [job for job in current if not settled(job, until)]
            if not waiting:
                return current
            now = self._clock.monotonic()
            left = float("inf") if timeout is None else start + timeout - now
            if left <= 0:
                raise WaitTimeout(waiting[0], current)
            await self._clock.sleep(min(self._pause(paces, current, pause, now, until), left))
            pause = min(pause * _READ_GROWTH, _READ_LAST)

    def _pause(
        self, paces: Sequence[Pace], jobs: Sequence[Job], pause: float, now: float, until: Until
    ) -> float:
        """Return the seconds until something is to be read or asked."""
        due = min(
            pace.due for pace, job in zip(paces, jobs, strict=True) if not settled(job, until)
        )
        asking = max(due - now, 0.05)
        return asking if self._lookup.ledger is None else min(pause, asking)

    async def _read(self, jobs: list[Job], until: Until) -> None:
        """Bring the jobs up to date with the ledger, in one call for a hundred of them."""
        ledger = self._lookup.ledger
        wanted = [job.id for job in jobs if names.is_id(job.id) and not settled(job, until)]
        if ledger is None or not wanted:
            return
        try:
            found = await ledger.read_many(list(dict.fromkeys(wanted)))
        except Unavailable:
            # Read again at the next turn.
            return
        for place, job in enumerate(jobs):
            if job.id in found:
                jobs[place] = updated(job, found[job.id].record)
            elif job.id in wanted:
                raise NotFound(f"the ledger has no job {job.id}")

    async def _ask(self, jobs: list[Job], paces: Sequence[Pace], now: float, until: Until) -> None:
        due = [
            place
            for place, job in enumerate(jobs)
            if paces[place].due <= now and not settled(job, until)
        ]
        gate = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def ask(place: int) -> None:
            async with gate:
                # What gives no answer is asked again, later.
                with contextlib.suppress(Unavailable):
                    jobs[place] = await self._lookup.refresh(jobs[place])
                paces[place].asked(self._clock.monotonic())

        await asyncio.gather(*map(ask, due))


@contextlib.asynccontextmanager
async def _at_most(seconds: float) -> AsyncIterator[None]:
    """Give up after a time, without an error: the time-out of the wait is then over too."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            yield


def settled(job: Job, until: Until) -> bool:
    """Tell whether there is nothing more to wait for: a job that is lost is not asked about."""
    if job.state in {states.ENDED, states.REFUSED, states.LOST}:
        return True
    return until == "action" and job.status == states.REQUIRES_ACTION
