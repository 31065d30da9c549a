"""Transactions: no update is lost, nothing half done is seen."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core.exceptions import Aborted, InvalidArgument
from google.cloud.firestore import (
    AsyncClient,
    AsyncCollectionReference,
    AsyncTransaction,
    Client,
    CollectionReference,
    FieldFilter,
    Transaction,
    async_transactional,
    transactional,
)
from google.cloud.firestore_v1 import types

from tests.contract.firestore_fixtures import firestore_needs

ATTEMPTS = 100


def test_a_read_modify_write_loses_nothing(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("d")
    document.set({"n": 0})

    @transactional
    def increment(transaction: Transaction) -> None:
        n = document.get(transaction=transaction).get("n")
        transaction.update(document, {"n": n + 1})

    with ThreadPoolExecutor(8) as pool:
        runs = [
            pool.submit(increment, firestore.transaction(max_attempts=ATTEMPTS)) for _ in range(40)
        ]
        for run in runs:
            run.result()
    assert document.get().get("n") == 40


async def test_an_asynchronous_read_modify_write_loses_nothing(
    async_collection: AsyncCollectionReference, async_firestore: AsyncClient
) -> None:
    document = async_collection.document("d")
    await document.set({"n": 0})

    @async_transactional
    async def increment(transaction: AsyncTransaction) -> None:
        n = (await document.get(transaction=transaction)).get("n")
        transaction.update(document, {"n": n + 1})

    transactions = [async_firestore.transaction(max_attempts=ATTEMPTS) for _ in range(20)]
    await asyncio.gather(*(increment(transaction) for transaction in transactions))
    assert (await document.get()).get("n") == 20


def test_an_error_rolls_back(collection: CollectionReference, firestore: Client) -> None:
    document = collection.document("d")
    document.set({"n": 0})

    @transactional
    def fail(transaction: Transaction) -> None:
        document.get(transaction=transaction)
        transaction.update(document, {"n": 1})
        raise LookupError("on purpose")

    with pytest.raises(LookupError):
        fail(firestore.transaction())
    assert document.get().get("n") == 0
    document.update({"n": 2})


@firestore_needs("optimistic-transactions")
def test_a_transaction_whose_read_has_changed_is_aborted(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("d")
    document.set({"n": 0})
    transaction = firestore.transaction()
    transaction._begin()
    document.get(transaction=transaction)
    document.update({"n": 1})
    transaction.update(document, {"n": 2})
    with pytest.raises(Aborted):
        transaction._commit()
    assert document.get().get("n") == 1


@firestore_needs("optimistic-transactions")
def test_a_transaction_whose_query_would_find_more_is_aborted(
    collection: CollectionReference, firestore: Client
) -> None:
    query = collection.where(filter=FieldFilter("state", "==", "free"))
    transaction = firestore.transaction()
    transaction._begin()
    assert list(query.stream(transaction=transaction)) == []
    collection.document("phantom").set({"state": "free"})
    transaction.set(collection.document("mine"), {"state": "taken"})
    with pytest.raises(Aborted):
        transaction._commit()


@firestore_needs("optimistic-transactions")
def test_a_read_of_what_is_missing_counts(
    collection: CollectionReference, firestore: Client
) -> None:
    document = collection.document("d")
    transaction = firestore.transaction()
    transaction._begin()
    assert not document.get(transaction=transaction).exists
    document.set({"by": "another"})
    transaction.set(document, {"by": "me"})
    with pytest.raises(Aborted):
        transaction._commit()
    assert document.get().get("by") == "another"


def test_a_transaction_that_only_writes_commits(
    collection: CollectionReference, firestore: Client
) -> None:
    @transactional
    def write(transaction: Transaction) -> None:
        transaction.create(collection.document("a"), {"n": 1})
        transaction.set(collection.document("b"), {"n": 2})

    write(firestore.transaction())
    assert {each.id for each in collection.stream()} == {"a", "b"}


@firestore_needs("snapshot-reads")
def test_a_read_only_transaction_sees_one_moment(
    collection: CollectionReference, firestore: Client
) -> None:
    first, second, third = (collection.document(name) for name in ("a", "b", "c"))
    first.set({"n": 1})
    second.set({"n": 1})
    transaction = firestore.transaction(read_only=True)
    transaction._begin()
    assert first.get(transaction=transaction).get("n") == 1
    second.update({"n": 2})
    first.delete()
    third.set({"n": 2})
    assert second.get(transaction=transaction).get("n") == 1
    seen = {each.id: each.get("n") for each in collection.stream(transaction=transaction)}
    assert seen == {"a": 1, "b": 1}
    transaction._rollback()
    assert {each.id for each in collection.stream()} == {"b", "c"}


def test_a_read_only_transaction_cannot_write(
    collection: CollectionReference, firestore: Client
) -> None:
    api, database = firestore._firestore_api, firestore._database_string
    begun = api.begin_transaction({"database": database, "options": {"read_only": {}}})
    name = f"{database}/documents/{collection.id}/d"
    write = types.Write(update={"name": name})
    with pytest.raises(InvalidArgument):
        api.commit({"database": database, "writes": [write], "transaction": begun.transaction})


def test_a_transaction_that_is_over_is_refused(firestore: Client) -> None:
    api, database = firestore._firestore_api, firestore._database_string
    begun = api.begin_transaction({"database": database}).transaction
    api.rollback({"database": database, "transaction": begun})
    with pytest.raises(InvalidArgument):
        api.commit({"database": database, "transaction": begun})
