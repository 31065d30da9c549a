"""Which cores do what: the measured party has one for itself, the load has the others.

A party that shares its core with the load generator is measured together with it. Affinity is
inherited, so this process moves to the load's cores once, and to the party's while it starts one.

https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """The numbers of the cores for the party, and of those for load generator and sink."""

    party: frozenset[int]
    load: frozenset[int]

    @property
    def apart(self) -> bool:
        """Tell whether no core serves both."""
        return not self.party & self.load

    def __str__(self) -> str:
        if self.apart:
            return f"core {_listed(self.party)} for the party, {_listed(self.load)} for the load"
        return f"core {_listed(self.party)} for the party and the load: there is no other"


def divide(available: Collection[int]) -> Cores:
    """Return one core for the party and the rest for the load, or one for both.

    The party gets the last, since interrupts tend to go to the first.
    """
    *others, last = sorted(available)
    return Cores(frozenset({last}), frozenset(others or {last}))


@contextmanager
def on(cores: Collection[int]) -> Iterator[None]:
    """Keep this thread, and what it starts meanwhile, on the given cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _listed(cores: Collection[int]) -> str:
    return ", ".join(map(str, sorted(cores)))
