"""Reads by name, and databases beside each other."""

import uuid

import pytest
from google.api_core.exceptions import InvalidArgument
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


async def test_the_asynchronous_client_reads_too(
    async_collection: AsyncCollectionReference, async_firestore: AsyncClient
) -> None:
    document = async_collection.document("d")
    await document.set({"n": 1})
    assert (await document.get()).to_dict() == {"n": 1}
    wanted = [document, async_collection.document("missing")]
    found = [each.exists async for each in async_firestore.get_all(wanted)]
    assert sorted(found) == [False, True]


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
