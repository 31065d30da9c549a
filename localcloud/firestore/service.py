"""The methods of `google.firestore.v1.Firestore`, over documents in memory."""

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from google.cloud.firestore_v1.types import firestore as api

from localcloud.core import rpc
from localcloud.core.clock import Clock
from localcloud.core.packed import packed_bytes, unpacked
from localcloud.core.raw import timestamp
from localcloud.core.statuses import not_found, unimplemented
from localcloud.firestore import aggregations, commits, fieldpaths, indexes, names, queries
from localcloud.firestore.databases import Databases, Exists, Indexed
from localcloud.firestore.messages import Document, DocumentMask, Message, StructuredQuery
from localcloud.firestore.methods import TYPES


def _always(_database: str) -> bool:
    return True


class Firestore:
    """An embedded Firestore: all state in memory, on the event loop that its handlers run on.

    `exists` returns whether the database `projects/P/databases/D` exists; by default every one
    does. `indexed` returns the indexes of a collection group, and a query that they do not
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
        """Do nothing: nothing runs in the background."""

    def drop_database(self, name: str) -> None:
        """Delete a database, `projects/P/databases/D`, with all its documents."""
        self._databases.drop(name)

    def load(self, documents: Iterable[Document]) -> None:
        """Store documents as they are, as an import does: unchecked, and much faster.

        Each has its full name, which includes the database, and its times.
        """
        for document in documents:
            store = self._databases.of(document.name).store
            store.set(document.name, document)

    def mark(self) -> object:
        """Return what differs after any change that `dump` shows."""
        return [store.mark for store in self._databases.stores()]

    def dump(self) -> Any:
        """Return all documents as a JSON document."""
        stores = self._databases.stores()
        return [packed_bytes(serial) for store in stores for serial in store.serials()]

    def restore(self, dumped: Any) -> None:
        """Store the documents that `dump` returned."""
        self.load(Document.FromString(unpacked(text)) for text in dumped)

    def expire(self, database: str, collection_group: str, field: str) -> int:
        """Delete expired documents, as a TTL policy does; return how many.

        The service does so within about a day of the time in `field`, the emulator when called. A
        document whose field is absent or no timestamp stays.
        """
        return self._databases.expire(database, collection_group, field)

    async def commit(self, request: Any) -> Message:
        """Apply writes, all or none."""
        database = self._databases.of(request.database)
        if request.transaction:
            raise unimplemented("Firestore", "transactions")
        results, time = commits.commit(database.store, database.name, request.writes)
        return _reply(api.CommitResponse, write_results=results, commit_time=timestamp(time))

    async def batch_write(self, request: Any) -> Message:
        """Apply writes, each by itself."""
        database = self._databases.of(request.database)
        results, statuses = commits.batch(database.store, database.name, request.writes)
        return _reply(api.BatchWriteResponse, write_results=results, status=statuses)

    async def batch_get_documents(self, request: Any) -> AsyncIterator[Message]:
        """Read documents by name, in the order asked for."""
        database = self._databases.of(request.database)
        _check_present(request)
        for name in request.documents:
            names.check_document(name, database.name)
        time = timestamp(database.store.read_time())
        for name in request.documents:
            document = database.store.get(name)
            found = (
                {"missing": name}
                if document is None
                else {"found": fieldpaths.masked(document, _mask(request))}
            )
            yield _reply(api.BatchGetDocumentsResponse, read_time=time, **found)

    async def get_document(self, request: Any) -> Message:
        """Read one document; NOT_FOUND if it does not exist."""
        database = self._databases.of(request.name)
        _check_present(request)
        names.check_document(request.name, database.name)
        document = database.store.get(request.name)
        if document is None:
            raise not_found(f'Document "{request.name}" not found.')
        return fieldpaths.masked(document, _mask(request))

    async def run_query(self, request: Any) -> AsyncIterator[Message]:
        """Yield what a query finds; one reply without a document if that is nothing."""
        query = request.structured_query
        found, time = self._find(request, query)
        for reply in _query_replies(query, found, time):
            yield reply

    async def run_aggregation_query(self, request: Any) -> AsyncIterator[Message]:
        """Yield one reply with the counts of what a query finds."""
        aggregation = request.structured_aggregation_query
        found, time = self._find(request, aggregation.structured_query)
        fields = aggregations.aggregate(aggregation.aggregations, found)
        yield _reply(
            api.RunAggregationQueryResponse,
            result={"aggregate_fields": fields},
            read_time=timestamp(time),
        )

    def _find(self, request: Any, query: StructuredQuery) -> tuple[list[Document], int]:
        """Return what a query finds, and the time in microseconds at which it was so."""
        database = self._databases.of(request.parent)
        names.check_parent(request.parent, database.name)
        if request.HasField("explain_options"):
            raise unimplemented("Firestore", "explain_options")
        _check_present(request)
        queries.check(query)
        if self._indexed is not None:
            indexes.check(query, self._indexed(database.name, query.from_[0].collection_id))
        return queries.run(database.store, request.parent, query), database.store.read_time()

    def _methods(self) -> rpc.Service:
        handlers: dict[str, Callable[[Any], Any]] = {
            "BatchGetDocuments": self.batch_get_documents,
            "BatchWrite": self.batch_write,
            "Commit": self.commit,
            "GetDocument": self.get_document,
            "RunAggregationQuery": self.run_aggregation_query,
            "RunQuery": self.run_query,
        }
        return {
            name: rpc.Method(*types, handlers.get(name, _refuse(name)))
            for name, types in TYPES.items()
        }


def _reply(kind: Any, **fields: Any) -> Message:
    message: Message = kind.pb()(**fields)
    return message


def _refuse(name: str) -> Callable[[Any], Any]:
    def handler(_request: Any) -> Any:
        raise unimplemented("Firestore", name)

    return handler


def _check_present(request: Any) -> None:
    """Refuse a read of anything but the present."""
    selector = request.WhichOneof("consistency_selector")
    if selector:
        raise unimplemented("Firestore", f"a read by {selector}")


def _mask(request: Any) -> DocumentMask | None:
    return request.mask if request.HasField("mask") else None


def _query_replies(
    query: StructuredQuery, found: Sequence[Document], time: int
) -> Iterator[Message]:
    reply = functools.partial(_reply, api.RunQueryResponse, read_time=timestamp(time))
    if not found:
        yield reply()
    for document in found:
        yield reply(document=queries.project(query, document))
