"""Documents as Firestore's messages: the writes that a lease needs, and fields as values.

The library's own conversion belongs to its high-level client, which makes one call per write, and
takes eight times as long, since it makes a Python object of every value.

https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_v1.types import Write

Message = Any
"""A raw protobuf message, whose fields no type checker sees."""

Version = Any
"""A document's `update_time`: opaque, only ever passed back."""

# The generated class wraps this.
_Write: Callable[[], Message] = Write.pb()


def creation(name: str, fields: Mapping[str, Any]) -> Message:
    """Return the write of a document that must not exist; `name` is its full one.

    Raises `TypeError` for a field that is not text, an integer, a time, a boolean, `None`, or a
    list or mapping of such.
    """
    write = _Write()
    write.update.name = name
    write.current_document.exists = False
    _put_all(write.update.fields, fields)
    return write


def change(name: str, fields: Mapping[str, Any], version: Version) -> Message:
    """Return the write of some fields of a document that must be at `version`.

    Field names are identifiers, which need no quotes in a mask. Raises as `creation` does.
    """
    write = _Write()
    write.update.name = name
    write.update_mask.field_paths.extend(fields)
    write.current_document.update_time.CopyFrom(version)
    _put_all(write.update.fields, fields)
    return write


def read_fields(document: Message) -> dict[str, Any]:
    """Return a document's fields, or a mapping's, as Python values, times in UTC.

    Types that the relay never writes are returned as protobuf represents them.
    """
    return {name: _get(value) for name, value in document.fields.items()}


def _put_all(values: Message, fields: Mapping[str, Any]) -> None:
    for name, field in fields.items():
        put(values[name], field)


def put(value: Message, field: object) -> None:
    """Set a `Value`; raises as `creation` does."""
    match field:
        case str():
            value.string_value = field
        # Before int, of which bool is a subclass.
        case bool():
            value.boolean_value = field
        case int():
            value.integer_value = field
        case datetime():
            value.timestamp_value.FromDatetime(field)
        case None:
            value.null_value = 0
        case list():
            # Sets the field even if the list is empty.
            value.array_value.SetInParent()
            for each in field:
                put(value.array_value.values.add(), each)
        case Mapping():
            value.map_value.SetInParent()
            _put_all(value.map_value.fields, field)
        case _:
            raise TypeError(f"a document's field cannot be of type {type(field).__name__}")


def _get(value: Message) -> Any:
    match value.WhichOneof("value_type"):
        case None | "null_value":
            return None
        case "timestamp_value":
            return value.timestamp_value.ToDatetime(tzinfo=UTC)
        case "array_value":
            return [_get(each) for each in value.array_value.values]
        case "map_value":
            return read_fields(value.map_value)
        case kind:
            return getattr(value, kind)
