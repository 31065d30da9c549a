"""Queries: filters, orders, limits, cursors, projections, counts."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import (
    And,
    AsyncClient,
    AsyncCollectionReference,
    Client,
    CollectionReference,
    FieldFilter,
    Or,
    Query,
)
from google.cloud.firestore_v1.field_path import FieldPath

from tests.contract.firestore_fixtures import firestore_needs

START = datetime(2026, 1, 1, tzinfo=UTC)


def where(field: str, operator: str, value: Any) -> FieldFilter:
    return FieldFilter(field, operator, value)


def ids(query: Any) -> list[str]:
    return [document.id for document in query.stream()]


@pytest.fixture
def numbers(collection: CollectionReference, firestore: Client) -> CollectionReference:
    """Documents 0 to 9 with `n` their number, `even`, `tens`, and `tags`."""
    batch = firestore.batch()
    for n in range(10):
        data = {"n": n, "even": n % 2 == 0, "third": n // 3, "tags": [f"t{n}", f"m{n % 3}"]}
        batch.set(collection.document(str(n)), data)
    batch.commit()
    return collection


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("==", 3, "3"),
        ("!=", 3, "012456789"),
        ("<", 3, "012"),
        ("<=", 3, "0123"),
        (">", 7, "89"),
        (">=", 7, "789"),
        ("in", [1, 5.0, 77], "15"),
        ("not-in", [0, 1, 2, 3, 4], "56789"),
        ("==", 3.0, "3"),
        ("<", "text", ""),
    ],
)
def test_filters(numbers: CollectionReference, operator: str, value: Any, expected: str) -> None:
    assert ids(numbers.where(filter=where("n", operator, value))) == list(expected)


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [("array_contains", "m0", "0369"), ("array_contains_any", ["t1", "m2"], "1258")],
)
def test_array_filters(
    numbers: CollectionReference, operator: str, value: Any, expected: str
) -> None:
    assert ids(numbers.where(filter=where("tags", operator, value))) == list(expected)


def test_composite_filters(numbers: CollectionReference) -> None:
    both = And([where("even", "==", True), where("n", ">", 3)])
    assert ids(numbers.where(filter=both)) == list("468")
    either = Or([where("n", "==", 1), And([where("third", "==", 2), where("even", "==", False)])])
    assert ids(numbers.where(filter=either)) == list("17")
    chained = numbers.where(filter=where("n", ">=", 2)).where(filter=where("n", "<", 4))
    assert ids(chained) == list("23")


def test_null_and_nan_filters(collection: CollectionReference) -> None:
    for name, value in {"null": None, "nan": math.nan, "one": 1, "text": "x"}.items():
        collection.document(name).set({"v": value})
    collection.document("none").set({"other": 1})
    assert ids(collection.where(filter=where("v", "==", None))) == ["null"]
    assert ids(collection.where(filter=where("v", "==", math.nan))) == ["nan"]
    assert set(ids(collection.where(filter=where("v", "!=", None)))) == {"nan", "one", "text"}
    assert set(ids(collection.where(filter=where("v", "!=", math.nan)))) == {"one", "text"}
    assert set(ids(collection.where(filter=where("v", "!=", 1)))) == {"nan", "text"}
    assert set(ids(collection.where(filter=where("v", "not-in", [1])))) == {"nan", "text"}
    assert ids(collection.where(filter=where("v", "not-in", [None]))) == []


def test_an_inequality_compares_within_one_type(collection: CollectionReference) -> None:
    for name, value in {"int": 5, "float": 4.5, "text": "5", "true": True, "list": [5]}.items():
        collection.document(name).set({"v": value})
    assert ids(collection.where(filter=where("v", ">", 0))) == ["float", "int"]
    assert ids(collection.where(filter=where("v", ">", ""))) == ["text"]


def test_order_and_limit(numbers: CollectionReference) -> None:
    assert ids(numbers.order_by("n", direction=Query.DESCENDING).limit(3)) == list("987")
    assert ids(numbers.order_by("n").offset(4).limit(2)) == list("45")
    assert [each.id for each in numbers.order_by("n").limit_to_last(2).get()] == list("89")
    assert ids(numbers.order_by("missing")) == []


def test_orders_by_several_fields(numbers: CollectionReference) -> None:
    descending = numbers.order_by("even", direction=Query.DESCENDING).order_by("n")
    assert ids(descending) == list("0246813579")
    mixed = numbers.order_by("third").order_by("n", direction=Query.DESCENDING)
    assert ids(mixed) == list("2105438769")


def test_the_name_breaks_ties_in_the_last_direction(numbers: CollectionReference) -> None:
    assert ids(numbers.order_by("even")) == list("1357902468")
    assert ids(numbers.order_by("even", direction=Query.DESCENDING)) == list("8642097531")


def test_start_after_pages_through(numbers: CollectionReference) -> None:
    query = numbers.order_by("even").limit(3)
    seen: list[str] = []
    page = list(query.stream())
    while page:
        seen += [document.id for document in page]
        page = list(query.start_after(page[-1]).stream())
    assert seen == list("1357902468")


def test_cursors_by_value(numbers: CollectionReference) -> None:
    query = numbers.order_by("n")
    assert ids(query.start_at({"n": 7})) == list("789")
    assert ids(query.start_after({"n": 7})) == list("89")
    assert ids(query.end_at({"n": 2})) == list("012")
    assert ids(query.end_before({"n": 2})) == list("01")
    assert ids(query.start_at({"n": 2.5}).end_before({"n": 5})) == list("34")
    descending = numbers.order_by("n", direction=Query.DESCENDING)
    assert ids(descending.start_after({"n": 3})) == list("210")


def test_a_cursor_of_fewer_values_stands_before_or_after_all_that_match(
    numbers: CollectionReference,
) -> None:
    query = numbers.order_by("third").order_by("n")
    assert ids(query.start_at({"third": 2})) == list("6789")
    assert ids(query.start_after({"third": 2})) == list("9")
    assert ids(query.start_after({"third": 1, "n": 4})) == list("56789")


def test_newest_first_in_a_shard(collection: CollectionReference) -> None:
    for minute in range(6):
        collection.document(f"d{minute}").set(
            {"shard": minute % 2, "received_at": START + timedelta(minutes=minute)}
        )
    query = collection.where(filter=where("shard", "==", 1)).order_by(
        "received_at", direction=Query.DESCENDING
    )
    assert ids(query.limit(2)) == ["d5", "d3"]
    assert ids(query.start_after({"received_at": START + timedelta(minutes=3)})) == ["d1"]


def test_projections(numbers: CollectionReference) -> None:
    first = next(iter(numbers.order_by("n").select(["n", "even"]).limit(1).stream()))
    assert first.to_dict() == {"n": 0, "even": True}
    bare = next(iter(numbers.select([FieldPath.document_id()]).limit(1).stream()))
    assert bare.to_dict() == {}


def test_names_are_filtered_and_ordered(numbers: CollectionReference) -> None:
    query = numbers.where(filter=where("__name__", ">", numbers.document("6")))
    assert ids(query) == list("789")
    descending = numbers.order_by("__name__", direction=Query.DESCENDING).limit(2)
    assert ids(descending) == list("98")
    chosen = numbers.where(
        filter=where("__name__", "in", [numbers.document("3"), numbers.document("x")])
    )
    assert ids(chosen) == ["3"]


def test_nested_fields_are_filtered_and_ordered(collection: CollectionReference) -> None:
    for name, value in {"a": 3, "b": 1, "c": 2}.items():
        collection.document(name).set({"deep": {"er.": value}})
    assert ids(collection.order_by("deep.`er.`")) == ["b", "c", "a"]
    assert ids(collection.where(filter=where("deep.`er.`", ">=", 2))) == ["c", "a"]


def test_types_order_as_documented(collection: CollectionReference, firestore: Client) -> None:
    ordered: list[Any] = [
        None,
        False,
        True,
        math.nan,
        -math.inf,
        -1,
        0.5,
        1,
        2**62,
        1e19,
        START,
        START + timedelta(microseconds=1),
        "",
        "A",
        "a",
        "é",
        "\uffee",
        "\U0001f600",
        b"",
        b"\x00",
        b"\xff",
        firestore.document("a/a"),
        firestore.document("a/b"),
        [],
        [1],
        [1, 1],
        [2],
        {},
        {"a": "aaa", "b": "baz"},
        {"a": "foo", "b": "bar"},
        {"a": "foo", "b": "bar", "c": "qux"},
        {"a": "foo", "b": "baz"},
        {"b": "aaa", "c": "baz"},
    ]
    batch = firestore.batch()
    for index, value in enumerate(reversed(ordered)):
        batch.set(collection.document(), {"v": value, "index": len(ordered) - 1 - index})
    batch.commit()
    found = [document.get("index") for document in collection.order_by("v").stream()]
    assert found == list(range(len(ordered)))


def test_counts(numbers: CollectionReference) -> None:
    def count(query: Any) -> int:
        [[result]] = query.count().get()
        return int(result.value)

    assert count(numbers.where(filter=where("n", ">=", 6))) == 4
    assert count(numbers.where(filter=where("n", ">", 99))) == 0


@firestore_needs("query-validation")
def test_queries_over_the_limits_are_refused(numbers: CollectionReference) -> None:
    with pytest.raises(InvalidArgument):
        ids(numbers.where(filter=where("n", "in", list(range(31)))))
    with pytest.raises(InvalidArgument):
        ids(numbers.where(filter=where("n", "not-in", list(range(11)))))
    with pytest.raises(InvalidArgument):
        ids(numbers.where(filter=where("n", "!=", 1)).where(filter=where("n", "!=", 2)))


async def test_the_asynchronous_client_queries_too(
    async_collection: AsyncCollectionReference, async_firestore: AsyncClient
) -> None:
    batch = async_firestore.batch()
    for n in range(5):
        batch.set(async_collection.document(str(n)), {"n": n})
    await batch.commit()
    query = async_collection.where(filter=where("n", ">", 0)).order_by("n").limit(2)
    first = [document async for document in query.stream()]
    assert [document.id for document in first] == ["1", "2"]
    rest = [document.id async for document in query.start_after(first[-1]).stream()]
    assert rest == ["3", "4"]
    assert (await async_collection.count().get())[0][0].value == 5
