"""The protobuf messages of `google.firestore.v1`, as the client library ships them.

The library wraps each message in proto-plus; what travels, and what an emulator stores by the
hundred thousand, is the raw one underneath. To the type checker these are messages of their own
names whose fields it does not know.
"""

from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

if TYPE_CHECKING:

    class _Raw(Message):
        def __init__(self, **fields: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...
        def CopyFrom(self, other_msg: Message) -> None: ...  # noqa: N802 - protobuf's own names
        def HasField(self, field_name: str) -> bool: ...  # noqa: N802
        def MergeFrom(self, other_msg: Message) -> None: ...  # noqa: N802
        def SerializeToString(self, **kwargs: Any) -> bytes: ...  # noqa: N802
        def WhichOneof(self, oneof_group: str) -> Any: ...  # noqa: N802

    class Empty(_Raw):
        """A reply that says nothing."""

    class Timestamp(_Raw):
        """A time in seconds and nanoseconds since the epoch, UTC."""

    class Document(_Raw):
        """A document: name, fields, times of creation and of the last change."""

    class Value(_Raw):
        """A value of a field, one of many types."""

    class ArrayValue(_Raw):
        """The elements of an array."""

    class Precondition(_Raw):
        """What must hold of a document before it is written."""

    class DocumentMask(_Raw):
        """The fields to write or to return."""

    class Write(_Raw):
        """An update, a deletion or a transformation of one document."""

    class WriteResult(_Raw):
        """When the document was last changed, and what its transforms gave."""

    class FieldTransform(_Raw):
        """A field to be set to what the server computes."""

    class StructuredQuery(_Raw):
        """A query."""

    class Filter(_Raw):
        """A condition on the fields of a document."""

    class TransactionOptions(_Raw):
        """Whether a transaction may write, and what it reads."""

else:
    from google.cloud.firestore_v1.types import common, document, query, write
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.timestamp_pb2 import Timestamp

    Document = document.Document.pb()
    Value = document.Value.pb()
    ArrayValue = document.ArrayValue.pb()
    Precondition = common.Precondition.pb()
    DocumentMask = common.DocumentMask.pb()
    Write = write.Write.pb()
    WriteResult = write.WriteResult.pb()
    FieldTransform = write.DocumentTransform.FieldTransform.pb()
    StructuredQuery = query.StructuredQuery.pb()
    Filter = query.StructuredQuery.Filter.pb()
    TransactionOptions = common.TransactionOptions.pb()

__all__ = [
    "ArrayValue",
    "Document",
    "DocumentMask",
    "Empty",
    "FieldTransform",
    "Filter",
    "Message",
    "Precondition",
    "StructuredQuery",
    "Timestamp",
    "TransactionOptions",
    "Value",
    "Write",
    "WriteResult",
]
