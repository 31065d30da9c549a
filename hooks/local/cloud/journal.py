"""The record of every call that the local cloud was asked to make."""

from dataclasses import asdict, dataclass

from hooks.local.cloud.store import Json


@dataclass(frozen=True)
class Entry:
    """One call: when (Unix seconds), by whom, on what, with which outcome (an HTTP status).

    `writes` says whether the call may change anything, refused or not.
    """

    time: float
    identity: str
    service: str
    call: str
    status: int
    writes: bool


class Journal:
    """Every call in order, bounded: the oldest go first."""

    def __init__(self, limit: int = 100_000) -> None:
        self._entries: list[Entry] = []
        self._limit = limit
        self._dropped = 0

    def add(self, entry: Entry) -> None:
        """Record a call."""
        self._entries.append(entry)
        if len(self._entries) > self._limit:
            self._entries.pop(0)
            self._dropped += 1

    def mark(self) -> int:
        """Return a mark to ask with later for what came after it."""
        return self._dropped + len(self._entries)

    def since(self, mark: int = 0) -> list[Entry]:
        """Return the calls after `mark`."""
        return self._entries[max(0, mark - self._dropped) :]

    def writes(self, mark: int = 0) -> list[Entry]:
        """Return the calls after `mark` that may have changed something."""
        return [entry for entry in self.since(mark) if entry.writes]

    def rows(self, mark: int = 0) -> list[Json]:
        """Return the calls after `mark` as JSON."""
        return [asdict(entry) for entry in self.since(mark)]
