"""The methods of `google.firestore.v1.Firestore`, over documents in memory."""

import functools
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from google.cloud.firestore_v1.types import firestore as api

from localcloud.core import rpc
from localcloud.core.clock import Clock
from localcloud.core.raw import micros, timestamp
from localcloud.core.statuses import not_found, unimplemented
from localcloud.firestore import aggregations, commits, fieldpaths, indexes, names, queries, reads
from localcloud.firestore.databases import Database, Databases, Exists, Indexed
from localcloud.firestore.listing import list_collection_ids, list_documents
from localcloud.firestore.messages import (
    Document,
    DocumentMask,
    Empty,
    Message,
    Precondition,
    StructuredQuery,
    Write,
)
from localcloud.firestore.methods import TYPES
from localcloud.firestore.transactions import Query

_ID_LENGTH = 20
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _always(_database: str) -> bool:
    return True


class Firestore:
    """An embedded Firestore: all state in memory, on the event loop that its handlers run on.

    `exists` tells of `projects/P/databases/D` whether that database exists; every database does
    by default. `indexed` returns the indexes of a collection group, and a query that they do not
    serve is refused; by default every query is answered. `services` is what
    `localcloud.core.rpc.listen` serves.
    """

    def __init__(
        self, clock: Clock, *, exists: Exists = _always, indexed: Indexed | None = None
    ) -> None:
        self._databases = Databases(clock, exists)
        self._indexed = indexed
        self.services: Mapping[str, rpc.Service] = {
            "google.firestore.v1.Firestore": self._methods()
        }

    async def close(self) -> None:
        """Let go of everything: nothing runs in the background, so there is nothing to stop."""

    def drop_database(self, name: str) -> None:
        """Delete a database, `projects/P/databases/D`, with all its documents."""
        self._databases.drop(name)

    def load(self, documents: Iterable[Document]) -> None:
        """Put documents in just as they are, as an import does: unchecked, and much faster.

        Each has its full name, which says the database, and the times that it is to bear.
        """
        for document in documents:
            store = self._databases.of(document.name).store
            store.set(document.name, document, micros(document.update_time))

    def expire(self, database: str, collection_group: str, field: str) -> int:
        """Delete the documents whose time to live is over, as a TTL policy does; return how many.

        The service does so within a day or so of the time in `field`; here it is done when called.
        A document whose field is absent or no timestamp stays.
        """
        return self._databases.expire(database, collection_group, field)

    async def commit(self, request: Any) -> Message:
        """Apply writes, all or none."""
        database = self._databases.of(request.database)
        if request.transaction:
            database.transactions.finish(request.transaction, writes=bool(request.writes))
        results, time = commits.commit(database.store, database.name, request.writes)
        return _reply(api.CommitResponse, write_results=results, commit_time=timestamp(time))

    async def batch_write(self, request: Any) -> Message:
        """Apply writes, each by itself."""
        database = self._databases.of(request.database)
        results, statuses = commits.batch(database.store, database.name, request.writes)
        return _reply(api.BatchWriteResponse, write_results=results, status=statuses)

    async def begin_transaction(self, request: Any) -> Message:
        """Open a transaction."""
        database = self._databases.of(request.database)
        transaction = database.transactions.begin(request.options)
        return _reply(api.BeginTransactionResponse, transaction=transaction.id)

    async def rollback(self, request: Any) -> Message:
        """End a transaction without its writes."""
        self._databases.of(request.database).transactions.rollback(request.transaction)
        return Empty()

    async def batch_get_documents(self, request: Any) -> AsyncIterator[Message]:
        """Read documents by name, in the order asked for."""
        database = self._databases.of(request.database)
        for name in request.documents:
            names.check_document(name, database.name)
        replies = self._batch_get(database, request)
        for reply in replies:
            yield reply

    async def get_document(self, request: Any) -> Message:
        """Read one document; NOT_FOUND if it does not exist."""
        database = self._databases.of(request.name)
        names.check_document(request.name, database.name)
        document = reads.view(database, request).get(request.name)
        return _found(document, request)

    async def create_document(self, request: Any) -> Message:
        """Write one document that must not exist, under a random id if none is given."""
        document_id = request.document_id or _random_id()
        name = f"{request.parent}/{request.collection_id}/{document_id}"
        update = Document(name=name, fields=request.document.fields)
        write = Write(update=update, current_document=Precondition(exists=False))
        return self._write(write, request)

    async def update_document(self, request: Any) -> Message:
        """Write one document, or the fields of it that a mask names."""
        write = Write(update=request.document)
        for field in ("update_mask", "current_document"):
            if request.HasField(field):
                getattr(write, field).CopyFrom(getattr(request, field))
        return self._write(write, request)

    async def delete_document(self, request: Any) -> Message:
        """Delete one document, whether it exists or not."""
        database = self._databases.of(request.name)
        write = Write(delete=request.name)
        if request.HasField("current_document"):
            write.current_document.CopyFrom(request.current_document)
        commits.commit(database.store, database.name, [write])
        return Empty()

    async def run_query(self, request: Any) -> AsyncIterator[Message]:
        """Yield what a query finds; one reply without a document if that is nothing."""
        database, view = self._queried(request)
        query = request.structured_query
        found = view.run(self._bound(database, request.parent, query))
        for reply in _query_replies(view, query, found):
            yield reply

    async def run_aggregation_query(self, request: Any) -> AsyncIterator[Message]:
        """Yield one reply with the aggregations of what a query finds."""
        database, view = self._queried(request)
        aggregation = request.structured_aggregation_query
        found = view.run(self._bound(database, request.parent, aggregation.structured_query))
        fields = aggregations.aggregate(aggregation.aggregations, found)
        yield _reply(
            api.RunAggregationQueryResponse,
            result={"aggregate_fields": fields},
            transaction=view.begun,
            read_time=timestamp(view.read_time),
        )

    async def partition_query(self, _request: Any) -> Message:
        """Return no cursors, which the API allows: the whole query is its only partition."""
        return _reply(api.PartitionQueryResponse)

    async def list_documents(self, request: Any) -> Message:
        """Return a page of a collection, by name."""
        database = self._databases.of(request.parent)
        names.check_parent(request.parent, database.name)
        documents, token = list_documents(database.store, reads.view(database, request), request)
        masked = [fieldpaths.masked(document, _mask(request)) for document in documents]
        return _reply(api.ListDocumentsResponse, documents=masked, next_page_token=token)

    async def list_collection_ids(self, request: Any) -> Message:
        """Return a page of the ids of the collections right below a document or the root."""
        database = self._databases.of(request.parent)
        names.check_parent(request.parent, database.name)
        ids, token = list_collection_ids(database.store, reads.view(database, request), request)
        return _reply(api.ListCollectionIdsResponse, collection_ids=ids, next_page_token=token)

    def _bound(self, database: Database, parent: str, query: StructuredQuery) -> Query:
        queries.check(query)
        if self._indexed is not None:
            indexes.check(query, self._indexed(database.name, query.from_[0].collection_id))
        return lambda at: queries.run(database.store, parent, query, at)

    def _batch_get(self, database: Database, request: Any) -> list[Message]:
        view = reads.view(database, request)
        reply = functools.partial(
            _reply, api.BatchGetDocumentsResponse, read_time=timestamp(view.read_time)
        )
        replies = [reply(transaction=view.begun)] if view.begun else []
        for name in request.documents:
            document = view.get(name)
            if document is None:
                replies.append(reply(missing=name))
            else:
                found = fieldpaths.masked(document, _mask(request))
                replies.append(reply(found=found))
        return replies

    def _write(self, write: Write, request: Any) -> Message:
        database = self._databases.of(write.update.name)
        commits.commit(database.store, database.name, [write])
        return _found(database.store.get(write.update.name), request)

    def _queried(self, request: Any) -> tuple[Database, reads.View]:
        database = self._databases.of(request.parent)
        names.check_parent(request.parent, database.name)
        if request.HasField("explain_options"):
            raise unimplemented("Firestore", "explain_options")
        return database, reads.view(database, request)

    def _methods(self) -> rpc.Service:
        handlers: dict[str, Callable[[Any], Any]] = {
            "BatchGetDocuments": self.batch_get_documents,
            "BatchWrite": self.batch_write,
            "BeginTransaction": self.begin_transaction,
            "Commit": self.commit,
            "CreateDocument": self.create_document,
            "DeleteDocument": self.delete_document,
            "ExecutePipeline": _refuse("pipelines"),
            "GetDocument": self.get_document,
            "ListCollectionIds": self.list_collection_ids,
            "ListDocuments": self.list_documents,
            "Listen": _refuse("Listen: poll with a query"),
            "PartitionQuery": self.partition_query,
            "Rollback": self.rollback,
            "RunAggregationQuery": self.run_aggregation_query,
            "RunQuery": self.run_query,
            "UpdateDocument": self.update_document,
            "Write": _refuse("Write streams: use Commit"),
        }
        return {name: rpc.Method(*TYPES[name], handler) for name, handler in handlers.items()}


def _reply(kind: Any, **fields: Any) -> Message:
    message: Message = kind.pb()(**fields)
    return message


def _refuse(what: str) -> Callable[[Any], AsyncIterator[Message]]:
    def handler(_requests: Any) -> AsyncIterator[Message]:
        raise unimplemented("Firestore", what)

    return handler


def _found(document: Document | None, request: Any) -> Document:
    if document is None:
        raise not_found(f'Document "{request.name}" not found.')
    return fieldpaths.masked(document, _mask(request))


def _mask(request: Any) -> DocumentMask | None:
    return request.mask if request.HasField("mask") else None


def _random_id() -> str:
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def _query_replies(
    view: reads.View, query: StructuredQuery, found: Sequence[Document]
) -> Iterator[Message]:
    reply = functools.partial(_reply, api.RunQueryResponse, read_time=timestamp(view.read_time))
    if view.begun:
        yield reply(transaction=view.begun)
    if not found:
        yield reply()
    for document in found:
        yield reply(document=queries.project(query, document))
