"""What a read reads: now, a past time, a transaction, or one that begins with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localcloud.core.raw import micros
from localcloud.core.statuses import invalid
from localcloud.firestore.databases import Database
from localcloud.firestore.messages import Document
from localcloud.firestore.transactions import Query, Transaction


@dataclass(frozen=True)
class View:
    """The database as one request sees it.

    `read_time` is in microseconds; `begun` is the id of a transaction that the request began, for
    the first reply, else empty.
    """

    get: Callable[[str], Document | None]
    run: Callable[[Query], list[Document]]
    read_time: int
    begun: bytes = b""


def view(database: Database, request: Any) -> View:
    """Return what a request asks to read from by `transaction`, `new_transaction`, `read_time`."""
    kind = request.WhichOneof("consistency_selector")
    if kind == "transaction":
        return _in_transaction(database.transactions.get(request.transaction))
    if kind == "new_transaction":
        transaction = database.transactions.begin(request.new_transaction)
        return _in_transaction(transaction, begun=transaction.id)
    if kind == "read_time":
        return _at(database, micros(request.read_time))
    store = database.store
    return View(store.get, lambda query: query(None), store.read_time())


def _in_transaction(transaction: Transaction, begun: bytes = b"") -> View:
    return View(transaction.get, transaction.run, transaction.read_time(), begun)


def _at(database: Database, time: int) -> View:
    store = database.store
    if time > store.read_time():
        raise invalid("read_time cannot be in the future.")
    # Refuses a time that is no longer known; handlers read before they give up the loop.
    store.pin(time)
    store.unpin(time)
    return View(lambda name: store.get(name, time), lambda query: query(time), time)
