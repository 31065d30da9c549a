"""Transactions with optimistic concurrency control, as a database in mode OPTIMISTIC has it.

Every read of a transaction sees the database as it was at its first read. A commit is refused with
ABORTED if what the transaction read, documents or the results of queries, has changed since: so a
read-modify-write never loses an update, and no phantom slips in. (In mode PESSIMISTIC the service
would make the second writer wait instead; the end is the same, but for who tries again.)
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from localcloud.core.clock import Clock
from localcloud.core.raw import micros
from localcloud.core.statuses import aborted, exhausted, invalid
from localcloud.firestore.messages import Document, TransactionOptions
from localcloud.firestore.store import Store

LIFETIME_SECONDS = 270.0
MAX_OPEN = 10_000

Fingerprint = tuple[tuple[str, int], ...]
Query = Callable[[int | None], list[Document]]
"""Runs a query as of a time, or now."""


@dataclass
class Transaction:
    """An open transaction; times in microseconds, `deadline` in seconds of the clock."""

    id: bytes
    store: Store
    read_only: bool
    deadline: float
    snapshot: int | None = None
    documents: dict[str, Fingerprint] = field(default_factory=dict)
    queries: list[tuple[Query, Fingerprint]] = field(default_factory=list)

    def get(self, name: str) -> Document | None:
        """Read a document, and remember which version it was."""
        document = self.store.get(name, self.read_time())
        self.documents[name] = fingerprint([document])
        return document

    def run(self, query: Query) -> list[Document]:
        """Run a query, and remember what it found."""
        found = query(self.read_time())
        self.queries.append((query, fingerprint(found)))
        return found

    def read_time(self) -> int:
        """Return the time that this transaction reads at, which its first read sets."""
        if self.snapshot is None:
            self.snapshot = self.store.read_time()
            self.store.pin(self.snapshot)
        return self.snapshot

    def unchanged(self) -> bool:
        """Tell whether everything read would be read the same now."""
        return all(
            fingerprint([self.store.get(name)]) == seen for name, seen in self.documents.items()
        ) and all(fingerprint(query(None)) == seen for query, seen in self.queries)

    def close(self) -> None:
        """Let go of the past that this transaction reads."""
        if self.snapshot is not None:
            self.store.unpin(self.snapshot)
            self.snapshot = None


class Transactions:
    """The open transactions of one database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._open: dict[bytes, Transaction] = {}
        self._ids = itertools.count(1)

    def begin(self, options: TransactionOptions) -> Transaction:
        """Open a transaction.

        One that it retries is of no account here: its abort has ended it. (The client library
        names another thread's if both run one decorated function, so it must not be ended.)
        """
        self._expire()
        if len(self._open) >= MAX_OPEN:
            raise exhausted("Too many transactions are open.")
        transaction = Transaction(
            id=b"transaction-%d" % next(self._ids),
            store=self._store,
            read_only=options.HasField("read_only"),
            deadline=self._clock.time() + LIFETIME_SECONDS,
        )
        if options.read_only.HasField("read_time"):
            at = micros(options.read_only.read_time)
            self._store.pin(at)
            transaction.snapshot = at
        self._open[transaction.id] = transaction
        return transaction

    def get(self, transaction_id: bytes) -> Transaction:
        """Return an open transaction; refuse one that is over."""
        self._expire()
        if transaction_id not in self._open:
            raise invalid("The referenced transaction has expired or is no longer valid.")
        return self._open[transaction_id]

    def finish(self, transaction_id: bytes, *, writes: bool) -> None:
        """End a transaction that is about to commit; refuse it if it may not."""
        transaction = self.get(transaction_id)
        if transaction.read_only and writes:
            raise invalid("Cannot modify entities in a read-only transaction.")
        unchanged = transaction.read_only or transaction.unchanged()
        self.rollback(transaction_id)
        if not unchanged:
            raise aborted("Too much contention on these documents. Please try again.")

    def rollback(self, transaction_id: bytes) -> None:
        """End a transaction; one that is over already stays so."""
        transaction = self._open.pop(transaction_id, None)
        if transaction is not None:
            transaction.close()

    def _expire(self) -> None:
        # They are in the order of their deadlines, all lifetimes being equal.
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.deadline > self._clock.time():
                return
            self.rollback(oldest.id)


def fingerprint(documents: Iterable[Document | None]) -> Fingerprint:
    """Return names and versions: what a transaction has seen of documents."""
    return tuple(
        (document.name, micros(document.update_time)) for document in documents if document
    )
