"""The methods of `google.firestore.v1.Firestore`: their kinds, requests and replies."""

from typing import Any

from google.cloud.firestore_v1.types import firestore as api

from localcloud.core.rpc import Kind
from localcloud.firestore.messages import Document, Empty, Message


def _unary(request: Any, reply: Any) -> tuple[Kind, type[Message], type[Message]]:
    return "unary_unary", request.pb(), reply


def _streamed(request: Any, reply: Any) -> tuple[Kind, type[Message], type[Message]]:
    return "unary_stream", request.pb(), reply


def _both_streamed(request: Any, reply: Any) -> tuple[Kind, type[Message], type[Message]]:
    return "stream_stream", request.pb(), reply


TYPES: dict[str, tuple[Kind, type[Message], type[Message]]] = {
    "BatchGetDocuments": _streamed(
        api.BatchGetDocumentsRequest, api.BatchGetDocumentsResponse.pb()
    ),
    "BatchWrite": _unary(api.BatchWriteRequest, api.BatchWriteResponse.pb()),
    "BeginTransaction": _unary(api.BeginTransactionRequest, api.BeginTransactionResponse.pb()),
    "Commit": _unary(api.CommitRequest, api.CommitResponse.pb()),
    "CreateDocument": _unary(api.CreateDocumentRequest, Document),
    "DeleteDocument": _unary(api.DeleteDocumentRequest, Empty),
    "ExecutePipeline": _streamed(api.ExecutePipelineRequest, api.ExecutePipelineResponse.pb()),
    "GetDocument": _unary(api.GetDocumentRequest, Document),
    "ListCollectionIds": _unary(api.ListCollectionIdsRequest, api.ListCollectionIdsResponse.pb()),
    "ListDocuments": _unary(api.ListDocumentsRequest, api.ListDocumentsResponse.pb()),
    "Listen": _both_streamed(api.ListenRequest, api.ListenResponse.pb()),
    "PartitionQuery": _unary(api.PartitionQueryRequest, api.PartitionQueryResponse.pb()),
    "Rollback": _unary(api.RollbackRequest, Empty),
    "RunAggregationQuery": _streamed(
        api.RunAggregationQueryRequest, api.RunAggregationQueryResponse.pb()
    ),
    "RunQuery": _streamed(api.RunQueryRequest, api.RunQueryResponse.pb()),
    "UpdateDocument": _unary(api.UpdateDocumentRequest, Document),
    "Write": _both_streamed(api.WriteRequest, api.WriteResponse.pb()),
}
