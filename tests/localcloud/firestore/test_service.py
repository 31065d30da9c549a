import json
from importlib import resources
from typing import Any

import grpc
import pytest

from localcloud.core.raw import micros, timestamp
from localcloud.core.rpc import RpcError
from localcloud.firestore import Firestore
from localcloud.firestore.messages import Write
from tests.localcloud.firestore.conftest import Invoke
from tests.support.firestore_messages import DATABASE, ROOT, document, value

BOOKS = [{"collection_id": "books"}]


async def put(invoke: Invoke, path: str, n: int) -> int:
    write = Write(update=document(path, {"n": n}))
    reply = await invoke("Commit", database=DATABASE, writes=[write])
    return micros(reply.commit_time)


def test_every_method_of_the_client_is_answered(emulator: Firestore) -> None:
    described = resources.files("google.cloud.firestore_v1").joinpath("gapic_metadata.json")
    clients = json.loads(described.read_text())["services"]["Firestore"]["clients"]
    assert set(emulator.services["google.firestore.v1.Firestore"]) == set(clients["grpc"]["rpcs"])


@pytest.mark.parametrize("name", ["Listen", "Write", "ExecutePipeline"])
async def test_what_is_not_imitated_says_so(invoke: Invoke, name: str) -> None:
    with pytest.raises(RpcError, match="does not imitate") as refused:
        await invoke(name, database=DATABASE)
    assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


async def test_a_query_is_not_explained(invoke: Invoke) -> None:
    with pytest.raises(RpcError, match="explain_options"):
        await invoke("RunQuery", parent=ROOT, explain_options={"analyze": True})


async def test_a_query_that_finds_nothing_says_when(invoke: Invoke) -> None:
    replies = await invoke("RunQuery", parent=ROOT, structured_query={"from_": BOOKS})
    assert len(replies) == 1
    assert not replies[0].HasField("document")
    assert replies[0].HasField("read_time")


async def test_a_read_may_begin_a_transaction(invoke: Invoke) -> None:
    await put(invoke, "books/a", 1)
    requests: dict[str, dict[str, Any]] = {
        "BatchGetDocuments": {"database": DATABASE, "documents": [f"{ROOT}/books/a"]},
        "RunQuery": {"parent": ROOT, "structured_query": {"from_": BOOKS}},
    }
    for name, request in requests.items():
        first, *rest = await invoke(name, **request, new_transaction={})
        assert first.transaction
        assert len(rest) == 1
        await put(invoke, "books/a", micros(first.read_time))
        write = Write(delete=f"{ROOT}/books/a")
        with pytest.raises(RpcError, match="contention"):
            await invoke("Commit", database=DATABASE, writes=[write], transaction=first.transaction)


async def test_the_past_is_read_as_far_as_it_is_known(invoke: Invoke) -> None:
    early = await put(invoke, "books/a", 1)
    query = {"from_": BOOKS}
    now = (await invoke("RunQuery", parent=ROOT, structured_query=query))[0].read_time
    replies = await invoke("RunQuery", parent=ROOT, structured_query=query, read_time=now)
    assert replies[0].document.fields["n"] == value(1)
    await put(invoke, "books/a", 2)
    with pytest.raises(RpcError, match="too old"):
        await invoke(
            "RunQuery", parent=ROOT, structured_query=query, read_time=timestamp(early - 1)
        )
    with pytest.raises(RpcError, match="in the future"):
        await invoke("GetDocument", name=f"{ROOT}/books/a", read_time=timestamp(early + 60_000_000))


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


async def test_a_created_document_may_be_named_by_the_service(invoke: Invoke) -> None:
    created = await invoke("CreateDocument", parent=ROOT, collection_id="books", document={})
    assert len(created.name.removeprefix(f"{ROOT}/books/")) == 20


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"order_by": "n desc"}, "cannot be listed"), ({"page_size": -1}, "cannot be negative")],
)
async def test_a_malformed_listing_is_refused(
    invoke: Invoke, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(RpcError, match=message):
        await invoke("ListDocuments", parent=ROOT, collection_id="books", **fields)


async def test_a_listing_in_a_transaction_counts_as_read(invoke: Invoke) -> None:
    await put(invoke, "books/a", 1)
    begun = (await invoke("BeginTransaction", database=DATABASE)).transaction
    listed = await invoke("ListDocuments", parent=ROOT, collection_id="books", transaction=begun)
    assert [each.name for each in listed.documents] == [f"{ROOT}/books/a"]
    await put(invoke, "books/a", 2)
    with pytest.raises(RpcError, match="contention"):
        await invoke("Commit", database=DATABASE, transaction=begun)


async def test_close_is_all_there_is_to_it(emulator: Firestore) -> None:
    await emulator.close()


async def test_documents_are_loaded_as_they_are(emulator: Firestore, invoke: Invoke) -> None:
    loaded = document("books/a", {"n": 1})
    loaded.create_time.CopyFrom(timestamp(1_000_000))
    loaded.update_time.CopyFrom(timestamp(2_000_000))
    emulator.load([loaded])
    assert await invoke("GetDocument", name=loaded.name) == loaded
