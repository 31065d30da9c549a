"""The protobuf messages of `google.firestore.v1`, raw, as the client library ships them.

To the type checker they are messages of their own names whose fields it does not know.
"""

from typing import TYPE_CHECKING

from localcloud.core.raw import Empty, Message, Timestamp

if TYPE_CHECKING:
    from localcloud.core.raw import RawMessage

    class Document(RawMessage):
        """A document: name, fields, times of creation and of the last change."""

    class Value(RawMessage):
        """A value of a field, one of many types."""

    class Precondition(RawMessage):
        """What must hold of a document before it is written."""

    class DocumentMask(RawMessage):
        """The fields to write or to return."""

    class Write(RawMessage):
        """An update, a deletion or a transformation of one document."""

    class WriteResult(RawMessage):
        """When the document was last changed, and what its transforms gave."""

    class FieldTransform(RawMessage):
        """A field to be set to what the server computes."""

    class StructuredQuery(RawMessage):
        """A query."""

    class Filter(RawMessage):
        """A condition on the fields of a document."""

else:
    from google.cloud.firestore_v1.types import common, document, query, write

    Document = document.Document.pb()
    Value = document.Value.pb()
    Precondition = common.Precondition.pb()
    DocumentMask = common.DocumentMask.pb()
    Write = write.Write.pb()
    WriteResult = write.WriteResult.pb()
    FieldTransform = write.DocumentTransform.FieldTransform.pb()
    StructuredQuery = query.StructuredQuery.pb()
    Filter = query.StructuredQuery.Filter.pb()

__all__ = [
    "Document",
    "DocumentMask",
    "Empty",
    "FieldTransform",
    "Filter",
    "Message",
    "Precondition",
    "StructuredQuery",
    "Timestamp",
    "Value",
    "Write",
    "WriteResult",
]
