from typing import Any

import pytest
from google.cloud.firestore_v1.types import StructuredQuery as Query

from localcloud.core.clock import ManualClock
from localcloud.core.rpc import RpcError
from localcloud.firestore import queries
from localcloud.firestore.messages import StructuredQuery
from localcloud.firestore.store import Store
from tests.support.firestore_messages import ROOT, document, value

Op = Query.FieldFilter.Operator


@pytest.fixture
def store() -> Store:
    store = Store(ManualClock())
    for path, n in {"c/a": 1, "c/b": 2, "c/a/below/x": 3, "other/c/c/y": 4}.items():
        store.set(f"{ROOT}/{path}", document(path, {"n": n}))
    return store


def query(collection: str = "c", **fields: Any) -> StructuredQuery:
    return StructuredQuery(from_=[{"collection_id": collection}], **fields)


def found(store: Store, asked: StructuredQuery, parent: str = ROOT) -> list[str]:
    return [each.name.removeprefix(f"{ROOT}/") for each in queries.run(store, parent, asked)]


def test_a_collection_is_searched_below_its_parent_alone(store: Store) -> None:
    assert found(store, query()) == ["c/a", "c/b"]
    assert found(store, query("below"), f"{ROOT}/c/a") == ["c/a/below/x"]
    assert found(store, query("below")) == []


@pytest.mark.parametrize("selector", [{"collection_id": "c", "all_descendants": True}, {}])
def test_a_query_of_more_than_one_collection_is_refused(
    store: Store, selector: dict[str, Any]
) -> None:
    with pytest.raises(RpcError, match="queries of collection groups"):
        queries.run(store, ROOT, StructuredQuery(from_=[selector]))


def test_the_implied_orders_are_those_of_the_documentation() -> None:
    def unequal(path: str) -> dict[str, Any]:
        leaf = {"field": {"field_path": path}, "op": Op.GREATER_THAN, "value": value(1)}
        return {"field_filter": leaf}

    where = {"composite_filter": {"op": 1, "filters": [unequal("z"), unequal("a")]}}
    assert queries.orders(query(where=where)) == [
        queries.Order(("a",), descending=False),
        queries.Order(("z",), descending=False),
        queries.Order(("__name__",), descending=False),
    ]
    newest = [{"field": {"field_path": "t"}, "direction": Query.Direction.DESCENDING}]
    assert queries.orders(query(order_by=newest)) == [
        queries.Order(("t",), descending=True),
        queries.Order(("__name__",), descending=True),
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"offset": -1}, "cannot be negative"),
        ({"limit": {"value": -1}}, "cannot be negative"),
        ({"start_at": {"values": [value(1)]}}, "more values than"),
        ({"find_nearest": {}}, "vector search"),
        ({"where": {}}, "must be a composite"),
        ({"where": {"composite_filter": {"op": 1}}}, "at least one filter"),
        ({"where": {"unary_filter": {"field": {"field_path": "a"}}}}, "no operator"),
        ({"where": {"field_filter": {"field": {"field_path": "a"}}}}, "no operator"),
        (
            {
                "where": {
                    "field_filter": {
                        "field": {"field_path": "__name__"},
                        "op": Op.EQUAL,
                        "value": value("a"),
                    }
                }
            },
            "compare __name__ with references",
        ),
        (
            {
                "where": {
                    "field_filter": {
                        "field": {"field_path": "a"},
                        "op": Op.IN,
                        "value": value([]),
                    }
                }
            },
            "non-empty ArrayValue",
        ),
    ],
)
def test_a_malformed_query_is_refused(store: Store, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RpcError, match=message):
        queries.run(store, ROOT, query(**fields))


def test_a_query_selects_from_one_collection(store: Store) -> None:
    with pytest.raises(RpcError, match="exactly one collection"):
        queries.run(store, ROOT, StructuredQuery())


def any_of(path: str, count: int) -> dict[str, Any]:
    operand = value(list(range(count)))
    return {"field_filter": {"field": {"field_path": path}, "op": Op.IN, "value": operand}}


def test_disjunctions_multiply(store: Store) -> None:
    def both(first: int, second: int) -> StructuredQuery:
        filters = [any_of("n", first), any_of("m", second)]
        return query(where={"composite_filter": {"op": 1, "filters": filters}})

    assert found(store, both(5, 6)) == []
    with pytest.raises(RpcError, match="30 disjunctions"):
        found(store, both(5, 7))


def test_not_in_stands_alone(store: Store) -> None:
    without = {"field": {"field_path": "n"}, "op": Op.NOT_IN, "value": value([1])}
    filters = [{"field_filter": without}, any_of("m", 1)]
    with pytest.raises(RpcError, match="NOT_IN cannot be combined"):
        found(store, query(where={"composite_filter": {"op": 1, "filters": filters}}))
