"""Creates, updates, deletions, their preconditions, and commits of several writes."""

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.exceptions import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    GoogleAPICallError,
    InvalidArgument,
    NotFound,
)
from google.cloud.firestore import (
    DELETE_FIELD,
    AsyncClient,
    AsyncCollectionReference,
    Client,
    CollectionReference,
    FieldFilter,
    GeoPoint,
)

from tests.contract.firestore_fixtures import firestore_needs

RACERS = 200


def test_a_document_keeps_every_type(collection: CollectionReference, firestore: Client) -> None:
    data: dict[str, Any] = {
        "null": None,
        "bool": True,
        "int": -(2**63),
        "float": 1.5,
        "time": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "text": "ünï\U0001f600",
        "bytes": b"\x00\xff",
        "ref": firestore.document("a/b"),
        "point": GeoPoint(1.0, -2.0),
        "list": [1, "two", {"three": 3}],
        "map": {"a.b": {"`": 1}},
        "empty": {},
    }
    document = collection.document("d")
    document.create(data)
    assert document.get().to_dict() == data


def test_create_refuses_what_exists(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.create({"n": 1})
    with pytest.raises(AlreadyExists, match="already exists"):
        document.create({"n": 2})
    assert document.get().to_dict() == {"n": 1}


def test_one_of_200_concurrent_creates_wins(collection: CollectionReference) -> None:
    document = collection.document("contested")

    def create(racer: int) -> int | None:
        try:
            document.create({"racer": racer})
        except Conflict:
            return None
        return racer

    with ThreadPoolExecutor(32) as pool:
        winners = [each for each in pool.map(create, range(RACERS)) if each is not None]
    assert len(winners) == 1
    assert document.get().get("racer") == winners[0]


async def test_one_of_200_concurrent_asynchronous_creates_wins(
    async_collection: AsyncCollectionReference,
) -> None:
    document = async_collection.document("contested")

    async def create(racer: int) -> int | None:
        try:
            await document.create({"racer": racer})
        except Conflict:
            return None
        return racer

    outcomes = await asyncio.gather(*(create(racer) for racer in range(RACERS)))
    winners = [each for each in outcomes if each is not None]
    assert len(winners) == 1
    assert (await document.get()).get("racer") == winners[0]


def test_update_changes_only_what_it_names(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"kept": 1, "nested": {"kept": 2, "changed": 3}, "replaced": {"gone": 4}})
    document.update({"nested.changed": 5, "replaced": {"new": 6}})
    assert document.get().to_dict() == {
        "kept": 1,
        "nested": {"kept": 2, "changed": 5},
        "replaced": {"new": 6},
    }


def test_update_makes_maps_on_its_way(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"scalar": 1})
    document.update({"scalar.deep.er": 2, "new.path": 3})
    assert document.get().to_dict() == {"scalar": {"deep": {"er": 2}}, "new": {"path": 3}}


def test_quoted_field_paths_name_what_they_quote(
    collection: CollectionReference, firestore: Client
) -> None:
    odd = ["a.b", "back`tick", "back\\slash", "trailing\\", "1digit", "sp ace", "ünï"]
    document = collection.document("d")
    document.set({name: {"n": 0} for name in odd})
    document.update({firestore.field_path(name, "n"): index for index, name in enumerate(odd)})
    assert document.get().to_dict() == {name: {"n": index} for index, name in enumerate(odd)}


def test_fields_are_deleted(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"a": 1, "b": {"c": 2, "d": 3}, "e": 4})
    document.update({"a": DELETE_FIELD, "b.c": DELETE_FIELD, "missing": DELETE_FIELD})
    assert document.get().to_dict() == {"b": {"d": 3}, "e": 4}
    document.set({"b": {"d": DELETE_FIELD}}, merge=True)
    assert document.get().to_dict() == {"b": {}, "e": 4}


def test_set_replaces_or_merges(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"a": 1, "b": {"c": 2}})
    document.set({"b": {"d": 3}}, merge=True)
    assert document.get().to_dict() == {"a": 1, "b": {"c": 2, "d": 3}}
    document.set({"a": 4}, merge=cast("Any", ["a"]))
    assert document.get().to_dict() == {"a": 4, "b": {"c": 2, "d": 3}}
    document.set({"z": 0})
    assert document.get().to_dict() == {"z": 0}


def test_update_refuses_what_is_missing(collection: CollectionReference) -> None:
    with pytest.raises(NotFound, match="No document to update"):
        collection.document("missing").update({"a": 1})
    assert not collection.document("missing").get().exists


def test_a_stale_update_time_is_refused_on_update(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("d")
    first = document.create({"n": 1}).update_time
    second = document.update({"n": 2}, option=firestore.write_option(last_update_time=first))
    with pytest.raises(FailedPrecondition):
        document.update({"n": 3}, option=firestore.write_option(last_update_time=first))
    assert document.get().to_dict() == {"n": 2}
    assert document.get().update_time == second.update_time


def test_a_stale_update_time_is_refused_on_delete(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("d")
    first = document.create({"n": 1}).update_time
    second = document.update({"n": 2}).update_time
    with pytest.raises(FailedPrecondition):
        document.delete(option=firestore.write_option(last_update_time=first))
    assert document.get().exists
    document.delete(option=firestore.write_option(last_update_time=second))
    assert not document.get().exists


def test_an_update_time_of_a_missing_document_is_refused(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("d")
    first = document.create({"n": 1}).update_time
    document.delete()
    option = firestore.write_option(last_update_time=first)
    # Which of the two the service answers is not documented; a client must take either.
    with pytest.raises((FailedPrecondition, NotFound)):
        document.update({"n": 2}, option=option)
    with pytest.raises((FailedPrecondition, NotFound)):
        document.delete(option=option)


@firestore_needs("one-winner-of-conditional-updates")
async def test_one_of_many_concurrent_conditional_updates_wins(
    async_collection: AsyncCollectionReference, async_firestore: AsyncClient
) -> None:
    document = async_collection.document("d")
    option = async_firestore.write_option(
        last_update_time=(await document.create({"n": 0})).update_time
    )
    outcomes = await asyncio.gather(
        *(document.update({"n": racer}, option=option) for racer in range(1, 51)),
        return_exceptions=True,
    )
    lost = [each for each in outcomes if isinstance(each, GoogleAPICallError)]
    assert len(lost) == 49
    assert all(isinstance(each, FailedPrecondition) for each in lost)


def test_delete_needs_no_document_without_a_precondition(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("missing")
    document.delete()
    with pytest.raises(NotFound):
        document.delete(option=firestore.write_option(exists=True))


def test_update_times_grow_strictly(collection: CollectionReference) -> None:
    document = collection.document("d")
    times = [document.set({"n": 0}).update_time]
    times += [document.update({"n": number}).update_time for number in range(1, 50)]
    assert all(earlier < later for earlier, later in itertools.pairwise(times))
    assert all(time.nanosecond % 1000 == 0 for time in times)
    assert document.get().update_time == times[-1]


@firestore_needs("no-op-keeps-update-time")
def test_a_write_that_changes_nothing_keeps_the_update_time(
    collection: CollectionReference,
) -> None:
    document = collection.document("d")
    first = document.set({"n": 1}).update_time
    again = document.set({"n": 1}).update_time
    assert again == first == document.get().update_time


def test_create_time_stays_and_is_new_after_deletion(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"n": 1})
    created = document.get().create_time
    document.set({"n": 2})
    assert document.get().create_time == created
    document.delete()
    document.set({"n": 3})
    assert document.get().create_time > created


def test_a_commit_of_several_writes_is_atomic(
    collection: CollectionReference, firestore: Client
) -> None:
    collection.document("taken").create({"n": 0})
    batch = firestore.batch()
    batch.set(collection.document("a"), {"n": 1})
    batch.delete(collection.document("taken"))
    batch.create(collection.document("b"), {"n": 2})
    batch.update(collection.document("missing"), {"n": 3})
    with pytest.raises(NotFound):
        batch.commit()
    assert {each.id: each.to_dict() for each in collection.stream()} == {"taken": {"n": 0}}


def test_a_commit_has_one_time(collection: CollectionReference, firestore: Client) -> None:
    batch = firestore.batch()
    for number in range(3):
        batch.create(collection.document(str(number)), {"n": number})
    results = batch.commit()
    times = {result.update_time for result in results}
    assert len(times) == 1
    assert {each.update_time for each in collection.stream()} == times


@firestore_needs("several-writes-of-one-document")
def test_writes_of_one_document_in_a_commit_follow_each_other(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("d")
    batch = firestore.batch()
    batch.create(document, {"a": 1, "b": 1})
    batch.update(document, {"b": 2})
    batch.update(document, {"c": 3})
    batch.commit()
    assert document.get().to_dict() == {"a": 1, "b": 2, "c": 3}


def test_a_bulk_writer_writes_each_by_itself(
    collection: CollectionReference, firestore: Client
) -> None:
    collection.document("taken").create({"n": 0})
    failed: list[str] = []

    def on_error(error: Any, _writer: Any) -> bool:
        failed.append(error.message)
        return False

    writer = firestore.bulk_writer()
    writer.on_write_error(on_error)
    writer.create(collection.document("a"), {"n": 1})
    writer.create(collection.document("taken"), {"n": 2})
    writer.create(collection.document("b"), {"n": 3})
    writer.close()
    assert {each.id: each.get("n") for each in collection.stream()} == {"a": 1, "taken": 0, "b": 3}
    assert len(failed) == 1


@firestore_needs("document-size-limit")
def test_a_document_over_one_mebibyte_is_refused(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"a": "x" * 1_048_000})
    with pytest.raises(InvalidArgument, match="1,048,576 bytes"):
        document.set({"a": "x" * 1_048_577})
    with pytest.raises(InvalidArgument):
        document.update({"b": "x" * 1000})


@firestore_needs("reserved-names")
@pytest.mark.parametrize("name", ["__reserved__", ".", ".."])
def test_reserved_ids_are_refused(collection: CollectionReference, name: str) -> None:
    with pytest.raises(InvalidArgument):
        collection.document(name).set({"n": 1})


def test_nested_arrays_are_refused(collection: CollectionReference) -> None:
    with pytest.raises(InvalidArgument):
        collection.document("d").set({"a": [[1]]})


def test_times_are_cut_to_microseconds(collection: CollectionReference) -> None:
    document = collection.document("d")
    precise = DatetimeWithNanoseconds(2026, 1, 2, nanosecond=123_456_789, tzinfo=UTC)
    document.set({"t": precise, "deep": [{"t": precise}]})
    cut = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(microseconds=123_456)
    # The client reads no nanoseconds, so that only a query shows what is stored.
    for found in (
        FieldFilter("t", "==", cut),
        FieldFilter("deep", "array_contains", {"t": cut}),
    ):
        assert [each.id for each in collection.where(filter=found).stream()] == ["d"]
