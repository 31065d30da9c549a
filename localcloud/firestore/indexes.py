"""Whether the indexes of a collection serve a query; the service refuses any other.

https://cloud.google.com/firestore/docs/query-data/index-overview: every field has an ascending, a
descending and an array-contains index of its own, unless its configuration says otherwise;
equality filters are served by merging indexes; with an order as well, a query needs composite
indexes that end in that order and together begin with all the fields compared by equality.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.cloud.firestore_v1.types import StructuredQuery as _Query

from localcloud.core.statuses import failed_precondition
from localcloud.firestore import fieldpaths, filters, queries
from localcloud.firestore.fieldpaths import DOCUMENT_ID, Path
from localcloud.firestore.messages import Filter, StructuredQuery

ASCENDING, DESCENDING, CONTAINS = "ASCENDING", "DESCENDING", "CONTAINS"
_COLLECTION = "COLLECTION"

_Op = _Query.FieldFilter.Operator
_AUTOMATIC = frozenset((ASCENDING, DESCENDING, CONTAINS))

Mode = tuple[Path, str]
"""A field in an index, and how: ASCENDING, DESCENDING or CONTAINS."""


@dataclass(frozen=True)
class Indexes:
    """The indexes of a collection besides the automatic ones.

    `composites` are composite indexes. `fields` has the modes of the fields that are configured; of
    a field that is not, the nearest configured ancestor counts, then `*`, then the automatic ones.
    """

    composites: Sequence[tuple[Mode, ...]] = ()
    fields: Mapping[Path, frozenset[str]] = field(default_factory=dict)

    def single(self, mode: Mode) -> bool:
        """Return whether a single-field index serves a mode."""
        path, wanted = mode
        lineage = [path[:length] for length in range(len(path), 0, -1)]
        configured = (self.fields[each] for each in [*lineage, ("*",)] if each in self.fields)
        return wanted in next(configured, _AUTOMATIC)


def described(composites: Iterable[Any], fields: Iterable[Any]) -> Indexes:
    """Return the indexes that the admin API's JSON describes: `Index` and `Field` resources."""
    return Indexes(
        [_modes(index) for index in composites if _is_of_collection(index)],
        {
            fieldpaths.parse(name) if name != "*" else ("*",): _own_modes(each)
            for each in fields
            if "indexConfig" in each
            for name in [each["name"].rpartition("/fields/")[2]]
        },
    )


def check(query: StructuredQuery, indexes: Indexes) -> None:
    """Refuse a query that no index serves, as the service does."""
    order = _order(query)
    for leaves in _conjunctions(query.where) if query.HasField("where") else [[]]:
        ordered = {path for path, _ in order}
        # The index of the order serves an equality on the same field.
        equalities = {_mode(leaf) for leaf in leaves if _is_equality(leaf)}
        equalities -= {(path, ASCENDING) for path in ordered}
        if not _served(indexes, equalities, order):
            raise failed_precondition(
                "The query requires an index. It would be served by one on "
                f"{query.from_[0].collection_id} of {_display(equalities, order)}."
            )


def _served(indexes: Indexes, equalities: set[Mode], order: tuple[Mode, ...]) -> bool:
    usable = [
        set(modes[: len(modes) - len(order)])
        for modes in indexes.composites
        if modes[len(modes) - len(order) :] == order
    ]
    prefixes = [prefix for prefix in map(_undirected, usable) if prefix <= equalities]
    if len(order) <= 1 and all(map(indexes.single, order)):
        prefixes.append(set())
    singles = {mode for mode in equalities if not order and _any_mode(indexes, mode)}
    return bool(prefixes) and equalities == singles.union(*prefixes)


def _any_mode(indexes: Indexes, mode: Mode) -> bool:
    path, wanted = mode
    modes = [CONTAINS] if wanted == CONTAINS else [ASCENDING, DESCENDING]
    return any(indexes.single((path, each)) for each in modes)


def _undirected(modes: Iterable[Mode]) -> set[Mode]:
    """Return modes as equality sees them, which either direction serves."""
    return {(path, CONTAINS if mode == CONTAINS else ASCENDING) for path, mode in modes}


def _order(query: StructuredQuery) -> tuple[Mode, ...]:
    modes = [
        (each.path, DESCENDING if each.descending else ASCENDING) for each in queries.orders(query)
    ]
    # Every index ends in the name, in the direction of the field before it.
    before = modes[-2][1] if len(modes) > 1 else modes[-1][1]
    if modes[-1] == (DOCUMENT_ID, before):
        modes.pop()
    return tuple(modes)


def _conjunctions(condition: Filter) -> Iterator[list[Any]]:
    """Yield the terms of a filter's disjunctive normal form; `in` is left whole."""
    if not condition.HasField("composite_filter"):
        yield [filters.leaf(condition)]
        return
    parts = [list(_conjunctions(part)) for part in condition.composite_filter.filters]
    if condition.composite_filter.op == _Query.CompositeFilter.Operator.OR:
        yield from itertools.chain.from_iterable(parts)
        return
    for chosen in itertools.product(*parts):
        yield list(itertools.chain.from_iterable(chosen))


def _is_equality(leaf: Any) -> bool:
    return not filters.is_unequal(leaf) and leaf.field.field_path != "__name__"


def _mode(leaf: Any) -> Mode:
    contains = not filters.is_unary(leaf) and leaf.op in {
        _Op.ARRAY_CONTAINS,
        _Op.ARRAY_CONTAINS_ANY,
    }
    return fieldpaths.parse(leaf.field.field_path), CONTAINS if contains else ASCENDING


def _modes(index: Any) -> tuple[Mode, ...]:
    modes = [
        (fieldpaths.parse(each["fieldPath"]), each.get("order") or each.get("arrayConfig", ""))
        for each in index["fields"]
    ]
    if len(modes) > 1 and modes[-1] == (DOCUMENT_ID, modes[-2][1]):
        modes.pop()
    return tuple(modes)


def _own_modes(configured: Any) -> frozenset[str]:
    indexes = filter(_is_of_collection, configured["indexConfig"].get("indexes", []))
    return frozenset(mode for index in indexes for _, mode in _modes(index))


def _is_of_collection(index: Any) -> bool:
    # An index of the scope COLLECTION_GROUP serves no query of one collection.
    return bool(index.get("queryScope", _COLLECTION) == _COLLECTION)


def _display(equalities: set[Mode], order: tuple[Mode, ...]) -> str:
    return ", ".join(f"{'.'.join(path)} {mode}" for path, mode in [*sorted(equalities), *order])
