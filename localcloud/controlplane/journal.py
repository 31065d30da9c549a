"""The record of every call to the local cloud."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One call: when (Unix seconds), by whom, on what, with which outcome (an HTTP status).

    `service` is the API's name, that of a host outside, or `run.app` for a call of a function.
    `writes` says whether the call may change anything in the project, refused or not.
    """

    time: float
    identity: str
    service: str
    call: str
    status: int
    writes: bool


@dataclass(frozen=True)
class Exchange:
    """One REST call and its reply in full; `target` is the path with the query, as it was sent.

    `writes` is that of `Entry`.
    """

    method: str
    target: str
    content_type: str
    content: bytes
    status: int
    answer: bytes
    writes: bool


class Journal:
    """Every call in order; the oldest are dropped over `limit`.

    `listeners` are told each REST call in full, which is kept nowhere.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self.listeners: list[Callable[[Exchange], None]] = []
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._count = 0
        self._added = asyncio.Event()

    def add(self, entry: Entry) -> None:
        """Record a call."""
        self._entries.append(entry)
        self._count += 1
        self._added.set()
        self._added = asyncio.Event()

    def mark(self) -> int:
        """Return a mark for `since`."""
        return self._count

    def since(self, mark: int = 0) -> list[Entry]:
        """Return the calls after `mark`."""
        dropped = self._count - len(self._entries)
        return list(itertools.islice(self._entries, max(0, mark - dropped), None))

    def writes(self, mark: int = 0) -> list[Entry]:
        """Return the calls after `mark` that may have changed something."""
        return [entry for entry in self.since(mark) if entry.writes]

    async def seen(self, wanted: Callable[[Entry], bool], mark: int = 0) -> Entry:
        """Wait for the first call after `mark` that is wanted, and return it."""
        while True:
            added = self._added
            for entry in self.since(mark):
                if wanted(entry):
                    return entry
            await added.wait()
