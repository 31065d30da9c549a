"""Strikes the functions and services, each in its time."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import cast

from tests.soak.emulators import Faults, Journal
from tests.soak.functions import Functions
from tests.soak.schedule import (
    DISPATCHING,
    EVERYTHING,
    STRUCK,
    UPHEAVALS,
    Action,
    Fault,
    rounds,
    spread,
)


class Upheaval:
    """Does everything that the schedule of so many `deliveries` says, and counts it."""

    def __init__(
        self, deliveries: int, journal: Journal, functions: Functions, faults: Faults
    ) -> None:
        self.actions: Counter[str] = Counter()
        self._deliveries = deliveries
        self._journal = journal
        self._functions = functions
        self._faults = faults

    async def run(self, events: int) -> None:
        """Return once all of it is done and over; `events` is how many there will be."""
        plan = spread(UPHEAVALS, rounds(self._deliveries), events)
        plan.append((round(events * 0.9), EVERYTHING))
        dispatching = [each for each in plan if each[1][0] in DISPATCHING]
        receiving = [each for each in plan if each[1][0] not in DISPATCHING]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(dispatching, "events"))
            group.create_task(self._follow(receiving, "ingress"))

    async def _follow(self, plan: Iterable[tuple[int, Action]], topic: str) -> None:
        reached = self._journal.copies[topic]
        async with asyncio.TaskGroup() as group:
            for count, action in plan:
                # The journal, kept on this loop, tells only when asked.
                while len(reached) < count:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                self.actions[" ".join(action)] += 1
                group.create_task(self._act(action))

    async def _act(self, action: Action) -> None:
        what, how = action
        if action in STRUCK:
            self._faults.order(what, cast("Fault", how), STRUCK[action])
        else:
            await self._functions.strike(what, how)
