"""Queries on a collection, as Firestore's messages.

https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#structuredquery
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.api_core import exceptions
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.types import (
    RunAggregationQueryRequest,
    RunAggregationQueryResponse,
    RunQueryRequest,
    RunQueryResponse,
    StructuredQuery,
)

from relay.gcp.documents import Message, put, read_fields
from relay.gcp.store import CALL_SECONDS, Snapshot, routing

_Query: Callable[[], Message] = StructuredQuery.pb()
_Op = StructuredQuery.FieldFilter.Operator
_OPERATORS = {"==": _Op.EQUAL, "<=": _Op.LESS_THAN_OR_EQUAL, "in": _Op.IN}
_AND = StructuredQuery.CompositeFilter.Operator.AND
_ASCENDING = StructuredQuery.Direction.ASCENDING
_NAME = "__name__"

Condition = tuple[str, str, Any]
"""A field, an operator (`==`, `<=`, `in`), and a value, which may be text, a number or a time."""


@dataclass(frozen=True)
class Found:
    """A document that a query has found, by the last part of its name."""

    id: str
    snapshot: Snapshot


@dataclass(frozen=True)
class Query:
    """Documents of a collection that meet all conditions, in ascending order of one field.

    `order` is empty where any order will do, `limit` 0 where all are wanted, `fields` empty where
    documents are wanted whole. A query begins after the document `after` if it has an order.
    """

    collection: str
    conditions: Sequence[Condition]
    order: str = ""
    limit: int = 0
    after: Found | None = None
    fields: Sequence[str] = ()

    def following(self, found: Found) -> "Query":
        """Return the query for what comes after a document."""
        return replace(self, after=found)


async def run(client: FirestoreAsyncClient, database: str, query: Query) -> AsyncIterator[Found]:
    """Yield what a query finds; raises the client's errors."""
    request = RunQueryRequest.pb()(parent=f"{database}/documents")
    request.structured_query.CopyFrom(_message(database, query))
    replies = await client.run_query(
        RunQueryRequest.wrap(request),
        retry=None,
        timeout=CALL_SECONDS,
        metadata=routing(database),
    )
    async for each in replies:
        reply = RunQueryResponse.pb(each)
        if reply.HasField("document"):
            document = reply.document
            snapshot = Snapshot(read_fields(document), document.update_time)
            yield Found(document.name.rpartition("/")[2], snapshot)


async def count(client: FirestoreAsyncClient, database: str, query: Query) -> int:
    """Return how many documents a query would find; raises the client's errors."""
    request = RunAggregationQueryRequest.pb()(parent=f"{database}/documents")
    aggregation = request.structured_aggregation_query
    aggregation.structured_query.CopyFrom(_message(database, replace(query, limit=0)))
    aggregation.aggregations.add(alias="count").count.SetInParent()
    replies = await client.run_aggregation_query(
        RunAggregationQueryRequest.wrap(request),
        retry=None,
        timeout=CALL_SECONDS,
        metadata=routing(database),
    )
    async for each in replies:
        reply = RunAggregationQueryResponse.pb(each)
        return int(reply.result.aggregate_fields["count"].integer_value)
    # An empty stream does not say that there are none.
    raise exceptions.ServiceUnavailable("Firestore did not answer for a count")


def _message(database: str, query: Query) -> Message:
    message = _Query()
    message.from_.add(collection_id=query.collection)
    message.where.composite_filter.op = _AND
    for field, operator, value in query.conditions:
        condition = message.where.composite_filter.filters.add().field_filter
        condition.field.field_path = field
        condition.op = _OPERATORS[operator]
        put(condition.value, value)
    for field in filter(None, (query.order, query.order and _NAME)):
        message.order_by.add(direction=_ASCENDING).field.field_path = field
    if query.after is not None:
        put(message.start_at.values.add(), query.after.snapshot.fields[query.order])
        name = f"{database}/documents/{query.collection}/{query.after.id}"
        message.start_at.values.add(reference_value=name)
    if query.limit:
        message.limit.value = query.limit
    for field in query.fields:
        message.select.fields.add(field_path=field)
    return message
