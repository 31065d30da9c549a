import json
from importlib import resources
from typing import Any

import grpc
import pytest

from localcloud.core.raw import micros, timestamp
from localcloud.core.rpc import RpcError
from localcloud.firestore import Firestore
from localcloud.firestore.messages import Write
from localcloud.firestore.methods import TYPES
from tests.localcloud.firestore.conftest import Invoke
from tests.support.firestore_messages import DATABASE, ROOT, document

BOOKS = [{"collection_id": "books"}]


async def put(invoke: Invoke, path: str, n: int) -> int:
    write = Write(update=document(path, {"n": n}))
    reply = await invoke("Commit", database=DATABASE, writes=[write])
    return micros(reply.commit_time)


def test_every_method_of_the_client_is_answered(emulator: Firestore) -> None:
    described = resources.files("google.cloud.firestore_v1").joinpath("gapic_metadata.json")
    clients = json.loads(described.read_text())["services"]["Firestore"]["clients"]
    assert set(emulator.services["google.firestore.v1.Firestore"]) == set(clients["grpc"]["rpcs"])


SERVED = {
    "BatchGetDocuments",
    "BatchWrite",
    "Commit",
    "GetDocument",
    "RunAggregationQuery",
    "RunQuery",
}


@pytest.mark.parametrize("name", sorted(set(TYPES) - SERVED))
async def test_other_methods_are_refused_by_name(invoke: Invoke, name: str) -> None:
    with pytest.raises(RpcError, match=f"does not imitate {name}$") as refused:
        await invoke(name)
    assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("BatchGetDocuments", {"database": DATABASE, "transaction": b"t"}),
        ("BatchGetDocuments", {"database": DATABASE, "new_transaction": {}}),
        ("GetDocument", {"name": f"{ROOT}/books/a", "read_time": {"seconds": 1}}),
        ("RunQuery", {"parent": ROOT, "transaction": b"t"}),
        ("Commit", {"database": DATABASE, "transaction": b"t"}),
    ],
)
async def test_reads_of_anything_but_the_present_are_refused(
    invoke: Invoke, name: str, request_: dict[str, Any]
) -> None:
    with pytest.raises(RpcError, match=r"does not imitate (a read by|transactions)"):
        await invoke(name, **request_)


async def test_a_query_is_not_explained(invoke: Invoke) -> None:
    with pytest.raises(RpcError, match="explain_options"):
        await invoke("RunQuery", parent=ROOT, explain_options={"analyze": True})


async def test_a_query_that_finds_nothing_returns_its_read_time(invoke: Invoke) -> None:
    replies = await invoke("RunQuery", parent=ROOT, structured_query={"from_": BOOKS})
    assert len(replies) == 1
    assert not replies[0].HasField("document")
    assert replies[0].HasField("read_time")


async def test_a_batch_reports_each_write(invoke: Invoke) -> None:
    await put(invoke, "books/a", 1)
    writes = [
        Write(update=document("books/a", {}), current_document={"exists": False}),
        Write(update=document("books/b", {"n": 2})),
    ]
    reply = await invoke("BatchWrite", database=DATABASE, writes=writes)
    assert [status.code for status in reply.status] == [6, 0]
    assert [result.HasField("update_time") for result in reply.write_results] == [False, True]


async def test_a_batch_is_bounded_and_writes_a_document_once(invoke: Invoke) -> None:
    write = Write(update=document("books/a", {}))
    with pytest.raises(RpcError, match="more than once"):
        await invoke("BatchWrite", database=DATABASE, writes=[write, write])
    with pytest.raises(RpcError, match="more than 500"):
        await invoke("BatchWrite", database=DATABASE, writes=[write] * 501)


async def test_close_returns(emulator: Firestore) -> None:
    await emulator.close()


async def test_documents_are_loaded_as_they_are(emulator: Firestore, invoke: Invoke) -> None:
    loaded = document("books/a", {"n": 1})
    loaded.create_time.CopyFrom(timestamp(1_000_000))
    loaded.update_time.CopyFrom(timestamp(2_000_000))
    emulator.load([loaded])
    assert await invoke("GetDocument", name=loaded.name) == loaded
