from typing import Any

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import And, Client, CollectionReference, FieldFilter, Or, Query

from localcloud.core.clock import ManualClock
from localcloud.core.rpc import RpcError
from localcloud.firestore import Firestore
from localcloud.firestore.indexes import Indexes, check, described
from tests.localcloud.firestore.conftest import invoker
from tests.support.firestore_messages import DATABASE, ROOT

GROUP = f"{DATABASE}/collectionGroups/deliveries"
NEWEST_FIRST = {
    "queryScope": "COLLECTION",
    "fields": [
        {"fieldPath": "shard", "order": "ASCENDING"},
        {"fieldPath": "received_at", "order": "DESCENDING"},
        {"fieldPath": "__name__", "order": "DESCENDING"},
    ],
}
EXEMPT = {"name": f"{GROUP}/fields/received_at", "indexConfig": {"indexes": []}}


@pytest.fixture
def deliveries() -> CollectionReference:
    client = Client(project="p", credentials=AnonymousCredentials())
    return client.collection("deliveries")


def equal(field: str, value: Any = 1) -> FieldFilter:
    return FieldFilter(field, "==", value)


def served(query: Any, indexes: Indexes) -> bool:
    try:
        check(query._to_protobuf()._pb, indexes)
    except RpcError as error:
        if error.code is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        return False
    return True


def where(query: Any, *conditions: Any) -> Any:
    for condition in conditions:
        query = query.where(filter=condition)
    return query


def test_fields_are_indexed_by_themselves(deliveries: CollectionReference) -> None:
    for query in [
        where(deliveries, equal("a")),
        where(deliveries, equal("a"), equal("b"), FieldFilter("tags", "array_contains", 1)),
        where(deliveries, FieldFilter("a", "in", [1, 2]), equal("b", None)),
        where(deliveries, FieldFilter("a", ">", 1)),
        where(deliveries, FieldFilter("a", ">", 1)).order_by("a", direction=Query.DESCENDING),
        deliveries.order_by("a"),
        deliveries.order_by("a", direction=Query.DESCENDING),
        deliveries.order_by("__name__"),
        where(deliveries, equal("a")).order_by("a"),
        where(deliveries, equal("a")).order_by("__name__"),
        where(deliveries, Or([equal("a"), And([equal("b"), equal("c")])])),
    ]:
        assert served(query, Indexes())


def test_an_order_besides_an_equality_needs_a_composite_index(
    deliveries: CollectionReference,
) -> None:
    query = where(deliveries, equal("shard"))
    newest = query.order_by("received_at", direction=Query.DESCENDING)
    indexes = described([NEWEST_FIRST], [])
    assert served(newest, indexes)
    assert served(
        where(deliveries, FieldFilter("shard", "in", [1, 2])).order_by(
            "received_at", direction=Query.DESCENDING
        ),
        indexes,
    )
    assert not served(newest, Indexes())
    assert not served(query.order_by("received_at"), indexes)
    assert not served(where(newest, equal("type")), indexes)
    assert not served(where(deliveries, equal("shard"), FieldFilter("n", ">", 1)), indexes)
    assert not served(deliveries.order_by("shard").order_by("received_at"), indexes)
    assert served(
        deliveries.order_by("shard").order_by("received_at", direction=Query.DESCENDING), indexes
    )


def test_composite_indexes_are_merged(deliveries: CollectionReference) -> None:
    by_type = {
        "fields": [
            {"fieldPath": "type", "order": "ASCENDING"},
            {"fieldPath": "received_at", "order": "DESCENDING"},
        ]
    }
    query = where(deliveries, equal("shard"), equal("type")).order_by(
        "received_at", direction=Query.DESCENDING
    )
    assert served(query, described([NEWEST_FIRST, by_type], []))
    assert not served(query, described([by_type], []))


def test_an_exempted_field_has_no_index_of_its_own(deliveries: CollectionReference) -> None:
    indexes = described([NEWEST_FIRST], [EXEMPT])
    newest = deliveries.order_by("received_at", direction=Query.DESCENDING)
    assert not served(newest, indexes)
    assert not served(where(deliveries, equal("received_at")), indexes)
    assert served(where(newest, equal("shard")), indexes)
    assert served(where(deliveries, equal("shard"), equal("received_at")), indexes)


def test_an_exemption_covers_what_lies_below(deliveries: CollectionReference) -> None:
    ttl_alone = {"name": f"{GROUP}/fields/other", "ttlConfig": {"state": "ACTIVE"}}
    exempt = {"name": f"{GROUP}/fields/deep", "indexConfig": {}}
    indexes = described([], [exempt, ttl_alone])
    assert not served(deliveries.order_by("deep.er"), indexes)
    assert served(deliveries.order_by("other"), indexes)


def test_a_default_may_exempt_every_field(deliveries: CollectionReference) -> None:
    chosen = {
        "name": f"{GROUP}/fields/chosen",
        "indexConfig": {"indexes": [{"fields": [{"fieldPath": "chosen", "order": "ASCENDING"}]}]},
    }
    indexes = described([], [{"name": f"{GROUP}/fields/*", "indexConfig": {}}, chosen])
    assert not served(deliveries.order_by("any"), indexes)
    assert served(deliveries.order_by("chosen"), indexes)
    assert not served(deliveries.order_by("chosen", direction=Query.DESCENDING), indexes)


def test_an_index_of_a_collection_group_serves_no_query_of_a_collection(
    deliveries: CollectionReference,
) -> None:
    scope = {"queryScope": "COLLECTION_GROUP"}
    fields = [{"fieldPath": "chosen", "order": "ASCENDING"}]
    chosen = {"name": f"{GROUP}/fields/chosen", "indexConfig": {"indexes": [scope]}}
    chosen["indexConfig"] = {"indexes": [{**scope, "fields": fields}]}
    newest = where(deliveries, equal("shard")).order_by("received_at", direction=Query.DESCENDING)
    assert not served(deliveries.order_by("chosen"), described([], [chosen]))
    assert not served(newest, described([{**NEWEST_FIRST, **scope}], []))


def test_each_alternative_needs_an_index(deliveries: CollectionReference) -> None:
    indexes = described([NEWEST_FIRST], [])
    either = Or([equal("shard"), equal("type")])
    query = where(deliveries, either).order_by("received_at", direction=Query.DESCENDING)
    assert not served(query, indexes)


async def test_the_emulator_refuses_what_its_indexes_do_not_serve(
    deliveries: CollectionReference, clock: ManualClock
) -> None:
    asked: list[tuple[str, str]] = []

    def indexed(database: str, group: str) -> Indexes:
        asked.append((database, group))
        return described([], [EXEMPT])

    invoke = invoker(Firestore(clock, indexed=indexed))
    query = deliveries.order_by("received_at")._to_protobuf()._pb
    with pytest.raises(RpcError, match=r"requires an index.*received_at ASCENDING"):
        await invoke("RunQuery", parent=ROOT, structured_query=query)
    assert asked == [(DATABASE, "deliveries")]
