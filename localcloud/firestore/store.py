"""The documents of one database.

Commits and reads take turns on one event loop, so each sees the database whole.
"""

from collections.abc import Iterator

from localcloud.core.clock import Clock
from localcloud.firestore.messages import Document
from localcloud.firestore.names import split


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

    def read_time(self) -> int:
        """Return a time that sees every commit so far and none to come."""
        self._last_read = max(self._now(), self._last_commit, self._last_read)
        return self._last_read

    def commit_time(self) -> int:
        """Return the time of a commit that is made now."""
        self._last_commit = max(self._now(), self._last_commit + 1, self._last_read + 1)
        return self._last_commit

    def get(self, name: str) -> Document | None:
        """Return a document, or None where there is none."""
        collection, document_id = split(name)
        serial = self._collections.get(collection, {}).get(document_id)
        return None if serial is None else Document.FromString(serial)

    def set(self, name: str, document: Document | None) -> None:
        """Replace a document; None deletes it."""
        collection, document_id = split(name)
        if document is not None:
            serial = document.SerializeToString(deterministic=True)
            self._collections.setdefault(collection, {})[document_id] = serial
            return
        documents = self._collections.get(collection, {})
        documents.pop(document_id, None)
        if not documents:
            self._collections.pop(collection, None)

    @property
    def mark(self) -> object:
        """What differs after any change of the documents."""
        return self._last_commit, sum(map(len, self._collections.values()))

    def serials(self) -> Iterator[bytes]:
        """Yield every document in its serial form."""
        for documents in self._collections.values():
            yield from documents.values()

    def collections(self) -> list[str]:
        """Return the names of the collections that hold a document, sorted."""
        return sorted(self._collections)

    def documents(self, collection: str) -> Iterator[Document]:
        """Yield the documents of a collection in no particular order."""
        yield from map(Document.FromString, self._collections.get(collection, {}).values())

    def _now(self) -> int:
        return int(self._clock.time() * 1_000_000)
