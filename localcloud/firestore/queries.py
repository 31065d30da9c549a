"""Queries: filters, order, cursors, offset and limit.

As `google.firestore.v1.StructuredQuery` states it, by scanning the collection that a query
names: `indexes` says which queries the service would refuse for lack of an index.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.cloud.firestore_v1.types import StructuredQuery as _Query

from localcloud.core.statuses import invalid, unimplemented
from localcloud.firestore import fieldpaths, filters, values
from localcloud.firestore.fieldpaths import DOCUMENT_ID, Path
from localcloud.firestore.messages import Document, StructuredQuery
from localcloud.firestore.store import Store

_DESCENDING = _Query.Direction.DESCENDING

Position = tuple[Any, ...]
"""A document's sort key in a query's order."""


@dataclass(frozen=True)
class Order:
    """One field that a query is ordered by."""

    path: Path
    descending: bool


@dataclass(frozen=True)
class _Descending:
    """A key that sorts in reverse."""

    key: values.Key

    def __lt__(self, other: "_Descending") -> bool:
        return other.key < self.key

    def __gt__(self, other: "_Descending") -> bool:
        return other.key > self.key


def run(store: Store, parent: str, query: StructuredQuery) -> list[Document]:
    """Return what a query finds below `parent`, before its projection."""
    check(query)
    order = orders(query)
    meets = filters.compile_filter(query.where) if query.HasField("where") else _any
    scanned = store.documents(f"{parent}/{query.from_[0].collection_id}")
    found = (document for document in scanned if meets(document))
    positions = _within(query, order, _positions(found, order))
    most = query.limit.value if query.HasField("limit") else None
    return [document for _, document in _slice(positions, query.offset, most)]


def orders(query: StructuredQuery) -> list[Order]:
    """Return the full order of a query, with the fields that are implied."""
    explicit = [
        Order(fieldpaths.parse(each.field.field_path), each.direction == _DESCENDING)
        for each in query.order_by
    ]
    named = {order.path for order in explicit}
    last = explicit[-1].descending if explicit else False
    unequal = filters.inequality_fields(query.where) if query.HasField("where") else set()
    implied = sorted(unequal - named - {DOCUMENT_ID})
    if DOCUMENT_ID not in named:
        implied.append(DOCUMENT_ID)
    return explicit + [Order(path, last) for path in implied]


def project(query: StructuredQuery, document: Document) -> Document:
    """Return the projection of a document that a query has found."""
    if not query.HasField("select"):
        return document
    paths = [fieldpaths.parse(field.field_path) for field in query.select.fields]
    return fieldpaths.project(document, paths)


def check(query: StructuredQuery) -> None:
    """Refuse a query that is malformed, apart from its filter."""
    if query.HasField("find_nearest"):
        raise unimplemented("Firestore", "vector search")
    if len(query.from_) != 1:
        raise invalid("A query must select from exactly one collection.")
    if query.from_[0].all_descendants or not query.from_[0].collection_id:
        raise unimplemented("Firestore", "queries of collection groups")
    if query.offset < 0 or query.limit.value < 0:
        raise invalid("offset and limit cannot be negative.")
    for cursor in (query.start_at, query.end_at):
        if len(cursor.values) > len(query.order_by):
            raise invalid("A cursor has more values than the query has orders.")


def _any(_document: Document) -> bool:
    return True


def _positions(
    documents: Iterable[Document], order: list[Order]
) -> Iterator[tuple[Position, Document]]:
    for document in documents:
        position = _position(document, order)
        if position is not None:
            yield position, document


def _position(document: Document, order: list[Order]) -> Position | None:
    keys = []
    for each in order:
        value = fieldpaths.resolve(document, each.path)
        # A query leaves out documents that lack a field of its order.
        if value is None:
            return None
        keys.append(_directed(values.key(value), each))
    return tuple(keys)


def _directed(key: values.Key, order: Order) -> Any:
    return _Descending(key) if order.descending else key


def _within(
    query: StructuredQuery, order: list[Order], found: Iterator[tuple[Position, Document]]
) -> Iterator[tuple[Position, Document]]:
    if query.HasField("start_at"):
        start = _cursor(query.start_at, order)
        found = (each for each in found if start(each[0]))
    if query.HasField("end_at"):
        end = _cursor(query.end_at, order)
        found = (each for each in found if not end(each[0]))
    return found


def _cursor(cursor: Any, order: list[Order]) -> Callable[[Position], bool]:
    """Return a predicate: whether a cursor precedes a position.

    A cursor is a prefix of positions, and lies right before or right after all that share it.
    """
    prefix = tuple(
        _directed(values.key(value), each)
        for value, each in zip(cursor.values, order, strict=False)
    )

    def precedes(position: Position) -> bool:
        start = position[: len(prefix)]
        return bool(cursor.before) if start == prefix else prefix < start

    return precedes


def _slice(
    positions: Iterator[tuple[Position, Document]], offset: int, most: int | None
) -> Iterable[tuple[Position, Document]]:
    def position(each: tuple[Position, Document]) -> Position:
        return each[0]

    if most is None:
        return itertools.islice(sorted(positions, key=position), offset, None)
    return heapq.nsmallest(offset + most, positions, key=position)[offset:]
