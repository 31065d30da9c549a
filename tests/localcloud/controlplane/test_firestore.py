from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client, Query
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.base_query import FieldFilter

from localcloud.controlplane import Cloud
from localcloud.core.clock import ManualClock
from localcloud.core.raw import timestamp
from localcloud.core.rpc import RpcError
from tests.localcloud.controlplane.conftest import Api, Json

PROJECT = "/firestore/v1/projects/local-project"
DATABASE = f"{PROJECT}/databases/ledger"
GROUP = f"{DATABASE}/collectionGroups/deliveries"


@pytest.fixture
async def database(api: Api) -> str:
    body = {"locationId": "europe-west1", "type": "FIRESTORE_NATIVE"}
    created = await api("POST", f"{PROJECT}/databases?databaseId=ledger", body)
    assert created["done"] is True
    return str(created["response"]["name"])


@pytest.mark.parametrize(
    ("identifier", "location"), [("a", "eur3"), ("Ledger", "eur3"), ("ledger", "mars")]
)
async def test_bad_databases_are_refused(api: Api, identifier: str, location: str) -> None:
    path = f"{PROJECT}/databases?databaseId={identifier}"
    assert (await api.refused("POST", path, {"locationId": location}))[0] == "INVALID_ARGUMENT"


async def test_a_deleted_database_refuses_reads(cloud: Cloud, api: Api, database: str) -> None:
    firestore: Any = cloud.firestore.services["google.firestore.v1.Firestore"]["GetDocument"]
    name = f"{database}/documents/a/b"
    with pytest.raises(Exception, match="b"):
        await firestore.handler(firestore.request(name=name))
    await api("DELETE", DATABASE)
    with pytest.raises(Exception, match="database ledger does not exist"):
        await firestore.handler(firestore.request(name=name))


@pytest.mark.usefixtures("database")
async def test_a_protected_database_cannot_be_deleted(api: Api) -> None:
    for state in ("DELETE_PROTECTION_ENABLED", "DELETE_PROTECTION_DISABLED"):
        path = f"{DATABASE}?updateMask=deleteProtectionState"
        await api("PATCH", path, {"deleteProtectionState": state})
        if state.endswith("ENABLED"):
            assert (await api.refused("DELETE", DATABASE))[0] == "FAILED_PRECONDITION"
    await api("DELETE", DATABASE)
    assert (await api("GET", f"{PROJECT}/databases"))["databases"] == []


@pytest.mark.usefixtures("database")
async def test_a_field_inherits_until_it_is_configured(api: Api) -> None:
    field = f"{GROUP}/fields/expire_at"
    assert (await api("GET", field))["indexConfig"]["usesAncestorConfig"] is True
    configured: Json = {"indexConfig": {"indexes": []}, "ttlConfig": {}}
    await api("PATCH", f"{field}?updateMask=indexConfig,ttlConfig", configured)
    shown = await api("GET", field)
    assert shown["indexConfig"] == {"indexes": []}
    assert shown["ttlConfig"] == {"state": "ACTIVE"}
    await api("PATCH", f"{field}?updateMask=indexConfig,ttlConfig", {})
    assert "ttlConfig" not in await api("GET", field)


@pytest.mark.usefixtures("database")
async def test_a_composite_index_is_made_once_of_two_fields_or_more(api: Api) -> None:
    fields = [
        {"fieldPath": "shard", "order": "ASCENDING"},
        {"fieldPath": "received_at", "order": "DESCENDING"},
    ]
    made = await api("POST", f"{GROUP}/indexes", {"queryScope": "COLLECTION", "fields": fields})
    name = made["response"]["name"]
    assert (await api("GET", f"/firestore/v1/{name}"))["state"] == "READY"
    assert (await api.refused("POST", f"{GROUP}/indexes", {"fields": fields}))[
        0
    ] == "ALREADY_EXISTS"
    assert (await api.refused("POST", f"{GROUP}/indexes", {"fields": fields[:1]}))[
        0
    ] == "INVALID_ARGUMENT"
    assert len((await api("GET", f"{GROUP}/indexes"))["indexes"]) == 1
    await api("DELETE", f"/firestore/v1/{name}")
    assert (await api.refused("GET", f"/firestore/v1/{name}"))[0] == "NOT_FOUND"


@pytest.mark.parametrize("path", [f"{GROUP}/fields/a", f"{GROUP}/indexes", DATABASE])
async def test_fields_and_indexes_need_their_database(api: Api, path: str) -> None:
    assert (await api.refused("GET", path))[0] == "NOT_FOUND"


NEWEST_FIRST = {
    "queryScope": "COLLECTION",
    "fields": [
        {"fieldPath": "shard", "order": "ASCENDING"},
        {"fieldPath": "received_at", "order": "DESCENDING"},
    ],
}


async def queried(cloud: Cloud, database: str, query: Any) -> int:
    """Return how many documents the embedded Firestore finds."""
    method: Any = cloud.firestore.services["google.firestore.v1.Firestore"]["RunQuery"]
    structured = query._to_protobuf()._pb
    request = method.request(parent=f"{database}/documents", structured_query=structured)
    return len([reply async for reply in method.handler(request) if reply.HasField("document")])


async def test_a_query_needs_the_indexes_that_were_declared(
    cloud: Cloud, api: Api, database: str
) -> None:
    deliveries = Client("local-project", AnonymousCredentials(), "ledger").collection("deliveries")
    newest = deliveries.order_by("received_at", direction=Query.DESCENDING)
    of_a_shard = newest.where(filter=FieldFilter("shard", "==", 1))
    with pytest.raises(RpcError, match="requires an index"):
        await queried(cloud, database, of_a_shard)
    made = await api("POST", f"{GROUP}/indexes", NEWEST_FIRST)
    assert await queried(cloud, database, of_a_shard) == 0
    await api("DELETE", f"/firestore/v1/{made['response']['name']}")
    with pytest.raises(RpcError, match="requires an index"):
        await queried(cloud, database, of_a_shard)


@pytest.mark.parametrize("group", ["deliveries", "__default__"])
async def test_an_exempt_field_serves_no_query(
    cloud: Cloud, api: Api, database: str, group: str
) -> None:
    deliveries = Client("local-project", AnonymousCredentials(), "ledger").collection("deliveries")
    newest = deliveries.order_by("received_at", direction=Query.DESCENDING)
    assert await queried(cloud, database, newest) == 0
    field = f"{DATABASE}/collectionGroups/{group}/fields/received_at?updateMask=indexConfig"
    await api("PATCH", field, {"indexConfig": {"indexes": []}})
    with pytest.raises(RpcError, match="requires an index"):
        await queried(cloud, database, newest)


async def test_documents_expire_by_ttl_policy(
    cloud: Cloud, api: Api, clock: ManualClock, database: str
) -> None:
    deliveries = Client("local-project", AnonymousCredentials(), "ledger").collection("deliveries")
    everything = deliveries.limit(10)
    now = int(clock.time())
    for name, seconds in (("soon", 60), ("later", 86_400)):
        over = types.Value(timestamp_value=timestamp((now + seconds) * 1_000_000))
        document = types.Document(
            name=f"{database}/documents/deliveries/{name}", fields={"expire_at": over}
        )
        cloud.firestore.load([document._pb])
    await clock.advance(2 * 3600)
    assert await queried(cloud, database, everything) == 2
    await api("PATCH", f"{GROUP}/fields/expire_at?updateMask=ttlConfig", {"ttlConfig": {}})
    await clock.advance(3600)
    assert await queried(cloud, database, everything) == 1
    await clock.advance(86_400)
    assert await queried(cloud, database, everything) == 0
