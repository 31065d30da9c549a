"""Values that the server computes: timestamps and increments."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud.firestore import (
    SERVER_TIMESTAMP,
    AsyncCollectionReference,
    Client,
    CollectionReference,
    Increment,
)


def test_server_timestamps_are_one_time_also_in_nested_maps(
    collection: CollectionReference,
) -> None:
    document = collection.document("d")
    result = document.create(
        {"at": SERVER_TIMESTAMP, "deep": {"er": {"at": SERVER_TIMESTAMP, "kept": 1}}}
    )
    stored = document.get()
    at = stored.get("at")
    assert isinstance(at, datetime)
    assert at.tzinfo is not None
    assert stored.to_dict() == {"at": at, "deep": {"er": {"at": at, "kept": 1}}}
    behind = result.update_time - at
    assert 0 <= behind.total_seconds() < 0.001


def test_update_sets_a_nested_server_timestamp(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"deep": {"kept": 1}})
    document.update({"deep.at": SERVER_TIMESTAMP, "routes_done.blue": SERVER_TIMESTAMP})
    stored = document.get().to_dict()
    assert stored is not None
    assert stored["deep"]["kept"] == 1
    assert stored["deep"]["at"] == stored["routes_done"]["blue"]


def test_server_timestamps_are_one_time_in_a_commit(
    collection: CollectionReference, firestore: Client
) -> None:
    batch = firestore.batch()
    for name in ("a", "b"):
        batch.set(collection.document(name), {"at": SERVER_TIMESTAMP})
    batch.commit()
    assert len({each.get("at") for each in collection.stream()}) == 1


def test_a_merge_sets_only_the_timestamp_it_names(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"n": 1, "old": datetime(2020, 1, 1, tzinfo=UTC), "new": None})
    document.set({"new": SERVER_TIMESTAMP}, merge=True)
    stored = document.get().to_dict()
    assert stored is not None
    assert stored["n"] == 1
    assert stored["old"] == datetime(2020, 1, 1, tzinfo=UTC)
    assert stored["new"] > stored["old"]


@pytest.mark.parametrize(
    ("before", "by", "after"),
    [
        (3, 4, 7),
        (3, -4, -1),
        (3, 0.5, 3.5),
        (0.5, 1, 1.5),
        ("text", 4, 4),
        (None, 4, 4),
        (2**63 - 1, 1, 2**63 - 1),
        (-(2**63), -1, -(2**63)),
    ],
)
def test_increments(collection: CollectionReference, before: Any, by: Any, after: Any) -> None:
    document = collection.document("d")
    document.set({"n": before})
    result = document.update({"n": Increment(by)})
    stored = document.get().get("n")
    assert stored == after
    assert type(stored) is type(after)
    assert [len(result.transform_results)] == [1]


def test_an_increment_of_a_missing_field_sets_it(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"deep": {}})
    document.update({"deep.n": Increment(5), "new": Increment(1.5)})
    assert document.get().to_dict() == {"deep": {"n": 5}, "new": 1.5}


async def test_concurrent_increments_all_count(async_collection: AsyncCollectionReference) -> None:
    document = async_collection.document("d")
    await document.set({"n": 0})
    await asyncio.gather(*(document.update({"n": Increment(1)}) for _ in range(100)))
    assert (await document.get()).get("n") == 100


def test_transforms_apply_after_the_update(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"n": 1, "state": "old"})
    document.update({"state": "new", "n": Increment(1)})
    assert document.get().to_dict() == {"n": 2, "state": "new"}
