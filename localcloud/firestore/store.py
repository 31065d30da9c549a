"""The documents of one database, and what they were while somebody still reads the past.

Commits and reads take turns on one event loop, so each sees the database whole. Versions are kept
only as long as an open transaction reads from before they were replaced.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from localcloud.core.clock import Clock
from localcloud.core.statuses import failed_precondition
from localcloud.firestore.messages import Document
from localcloud.firestore.names import split


@dataclass(frozen=True)
class _Replaced:
    name: str
    at: int
    document: bytes | None


class Store:
    """Documents by collection, in their serial form, which takes a sixth of a message's memory.

    Times are microseconds since the epoch, UTC. A commit's time is greater than that of every
    commit and read before it, whatever the clock does.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._collections: dict[str, dict[str, bytes]] = {}
        self._last_commit = 0
        self._last_read = 0
        self._pins: Counter[int] = Counter()
        self._replaced: deque[_Replaced] = deque()
        self._history: dict[str, deque[_Replaced]] = {}
        self._history_since = 0

    def read_time(self) -> int:
        """Return a time that sees every commit so far and none to come."""
        self._last_read = max(self._now(), self._last_commit, self._last_read)
        return self._last_read

    def commit_time(self) -> int:
        """Return the time of a commit that is made now."""
        self._last_commit = max(self._now(), self._last_commit + 1, self._last_read + 1)
        return self._last_commit

    def get(self, name: str, at: int | None = None) -> Document | None:
        """Return a document, as it is or as it was at a time that is pinned."""
        serial = self._serial(name, at)
        return None if serial is None else Document.FromString(serial)

    def set(self, name: str, document: Document | None, at: int) -> None:
        """Replace a document at a commit's time; None deletes it."""
        if self._pins:
            self._remember(_Replaced(name, at, self._serial(name, None)))
        else:
            self._history_since = at
        collection, document_id = split(name)
        if document is not None:
            serial = document.SerializeToString(deterministic=True)
            self._collections.setdefault(collection, {})[document_id] = serial
            return
        documents = self._collections.get(collection, {})
        documents.pop(document_id, None)
        if not documents:
            self._collections.pop(collection, None)

    def collections(self, at: int | None = None) -> list[str]:
        """Return the names of the collections that hold a document, sorted."""
        found = set(self._collections)
        if at is not None:
            found |= {split(name)[0] for name in self._history}
            found = {name for name in found if next(self.documents(name, at), None) is not None}
        return sorted(found)

    def documents(self, collection: str, at: int | None = None) -> Iterator[Document]:
        """Yield the documents of a collection in no particular order."""
        current = self._collections.get(collection, {})
        if at is None or not self._history:
            yield from map(Document.FromString, current.values())
            return
        names = {f"{collection}/{document_id}" for document_id in current}
        gone = {name for name in self._history if split(name)[0] == collection}
        for name in names | gone:
            document = self.get(name, at)
            if document is not None:
                yield document

    def pin(self, at: int) -> None:
        """Keep what was there at a time until `unpin`; refuse one that is no longer known."""
        if at < self._history_since:
            raise failed_precondition(
                "The requested snapshot version is too old: the embedded Firestore keeps past "
                "versions only while a transaction that began before them is open."
            )
        self._pins[at] += 1

    def unpin(self, at: int) -> None:
        """Let go of a pinned time."""
        self._pins[at] -= 1
        self._pins += Counter()
        oldest = min(self._pins, default=self._last_commit)
        while self._replaced and self._replaced[0].at <= oldest:
            self._forget(self._replaced.popleft())
        self._history_since = max(self._history_since, oldest)

    def _now(self) -> int:
        return int(self._clock.time() * 1_000_000)

    def _serial(self, name: str, at: int | None) -> bytes | None:
        if at is not None and name in self._history:
            for old in self._history[name]:
                if old.at > at:
                    return old.document
        collection, document_id = split(name)
        return self._collections.get(collection, {}).get(document_id)

    def _remember(self, old: _Replaced) -> None:
        self._replaced.append(old)
        self._history.setdefault(old.name, deque()).append(old)

    def _forget(self, old: _Replaced) -> None:
        versions = self._history[old.name]
        versions.popleft()
        if not versions:
            del self._history[old.name]
