"""Reads by name, listings, and databases beside each other."""

import uuid

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.cloud.firestore import (
    AsyncClient,
    AsyncCollectionReference,
    Client,
    CollectionReference,
)
from google.cloud.firestore_v1 import types

from tests.contract.firestore_fixtures import PROJECT, firestore_needs, open_client


def test_a_missing_document_is_not_an_error(collection: CollectionReference) -> None:
    missing = collection.document("missing").get()
    assert not missing.exists
    assert missing.to_dict() is None
    assert missing.read_time is not None


def test_get_all_finds_what_is_there(collection: CollectionReference, firestore: Client) -> None:
    for name in ("a", "b"):
        collection.document(name).set({"name": name})
    wanted = [collection.document(name) for name in ("a", "missing", "b")]
    found = {each.id: each.exists for each in firestore.get_all(wanted)}
    assert found == {"a": True, "missing": False, "b": True}


def test_reads_are_masked(collection: CollectionReference) -> None:
    document = collection.document("d")
    document.set({"a": 1, "b": {"c": 2, "d": 3}, "e": 4})
    assert document.get(["a", "b.c", "missing"]).to_dict() == {"a": 1, "b": {"c": 2}}


def test_a_read_sees_the_commit_before_it(collection: CollectionReference) -> None:
    document = collection.document("d")
    for n in range(20):
        written = document.set({"n": n}).update_time
        read = document.get()
        assert read.get("n") == n
        assert read.read_time >= written


def test_the_plain_methods_of_the_api(collection: CollectionReference, firestore: Client) -> None:
    api = firestore._firestore_api
    parent = f"{firestore._database_string}/documents"
    created = api.create_document(
        types.CreateDocumentRequest(
            parent=parent,
            collection_id=collection.id,
            document_id="d",
            document={"fields": {"n": {"integer_value": 1}, "m": {"integer_value": 2}}},
        )
    )
    assert created.name == f"{parent}/{collection.id}/d"
    masked = {"document": {"name": created.name}, "update_mask": {"field_paths": ["m"]}}
    api.update_document(types.UpdateDocumentRequest(masked))
    assert set(api.get_document(types.GetDocumentRequest(name=created.name)).fields) == {"n"}
    api.delete_document(types.DeleteDocumentRequest(name=created.name))
    with pytest.raises(NotFound):
        api.get_document(types.GetDocumentRequest(name=created.name))


def test_documents_are_listed_in_pages_with_what_only_has_children(
    collection: CollectionReference,
) -> None:
    for n in range(5):
        collection.document(f"d{n}").set({"n": n})
    collection.document("parent").collection("below").document("x").set({})
    listed = [reference.id for reference in collection.list_documents(page_size=2)]
    assert listed == ["d0", "d1", "d2", "d3", "d4", "parent"]


def test_collections_are_listed(collection: CollectionReference, firestore: Client) -> None:
    document = collection.document("d")
    for name in ("b", "a"):
        document.collection(name).document("x").set({})
    document.collection("a").document("x").collection("deeper").document("y").set({})
    assert [each.id for each in document.collections()] == ["a", "b"]
    assert collection.id in {each.id for each in firestore.collections()}
    document.collection("b").document("x").delete()
    assert [each.id for each in document.collections()] == ["a"]


def test_a_recursive_delete_leaves_nothing(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("d")
    document.set({})
    document.collection("below").document("x").set({})
    other = collection.document("other")
    other.set({})
    firestore.recursive_delete(document)
    assert [each.id for each in collection.list_documents()] == ["other"]
    assert list(document.collections()) == []


async def test_the_asynchronous_client_reads_too(
    async_collection: AsyncCollectionReference, async_firestore: AsyncClient
) -> None:
    document = async_collection.document("d")
    await document.set({"n": 1})
    assert (await document.get()).to_dict() == {"n": 1}
    wanted = [document, async_collection.document("missing")]
    found = [each.exists async for each in async_firestore.get_all(wanted)]
    assert sorted(found) == [False, True]
    assert [each.id async for each in async_collection.list_documents()] == ["d"]


@firestore_needs("named-databases")
def test_named_databases_are_separate(collection: CollectionReference, firestore_host: str) -> None:
    collection.document("d").set({"in": "default"})
    other = open_client(firestore_host, f"db-{uuid.uuid4()}")
    try:
        document = other.collection(collection.id).document("d")
        assert not document.get().exists
        document.set({"in": "other"})
        assert collection.document("d").get().get("in") == "default"
    finally:
        other._firestore_api.transport.close()


@firestore_needs("request-validation")
def test_a_name_from_another_database_is_refused(firestore: Client) -> None:
    name = f"projects/{PROJECT}/databases/another/documents/a/b"
    write = types.Write(update={"name": name})
    request = types.CommitRequest(database=firestore._database_string, writes=[write])
    with pytest.raises(InvalidArgument):
        firestore._firestore_api.commit(request)
