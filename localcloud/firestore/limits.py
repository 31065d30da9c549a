"""What a document may contain, and how large it may be.

https://cloud.google.com/firestore/docs/storage-size and https://cloud.google.com/firestore/quotas
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.core.statuses import invalid, unimplemented
from localcloud.firestore.messages import Document, Value

MAX_DOCUMENT_BYTES = 1 << 20
MAX_DEPTH = 20
MAX_FIELD_NAME_BYTES = 1500

_RESERVED = re.compile(r"__.*__", re.DOTALL)


def admit(document: Document) -> None:
    """Refuse a document that Firestore would; cut its timestamps to microseconds, as it does."""
    actual = size(document)
    if actual > MAX_DOCUMENT_BYTES:
        raise invalid(
            f"Document '{document.name}' cannot be written because its size ({actual:,} bytes) "
            f"exceeds the maximum allowed size of {MAX_DOCUMENT_BYTES:,} bytes."
        )


def size(document: Document) -> int:
    """Return a document's size in bytes as Firestore counts it, checking and cutting as `admit`."""
    return 32 + _name_size(document.name) + _fields_size(document.fields, 1)


def _fields_size(fields: Mapping[str, Value], depth: int) -> int:
    if depth > MAX_DEPTH:
        raise invalid(f"Maps and arrays are nested deeper than {MAX_DEPTH} levels.")
    if "__type__" in fields and fields["__type__"].string_value == "__vector__":
        raise unimplemented("Firestore", "vectors")
    return sum(_field_size(name, fields[name], depth) for name in fields)


def _field_size(name: str, value: Value, depth: int) -> int:
    name_size = _string_size(name)
    if not name or _RESERVED.fullmatch(name) or name_size > MAX_FIELD_NAME_BYTES + 1:
        raise invalid(f'Field name "{name[:64]}" is reserved, empty or too long.')
    return name_size + _size(value, depth)


def _size(value: Value, depth: int) -> int:
    kind = value.WhichOneof("value_type")
    if kind == "map_value":
        return _fields_size(value.map_value.fields, depth + 1)
    if kind == "array_value":
        return sum(_element_size(element, depth + 1) for element in value.array_value.values)
    if kind == "timestamp_value":
        value.timestamp_value.nanos -= value.timestamp_value.nanos % 1000
    if kind not in _SIZES:
        raise invalid(f"A field cannot hold a value of type {kind or 'unset'}.")
    return _SIZES[kind](getattr(value, kind))


def _element_size(value: Value, depth: int) -> int:
    if value.HasField("array_value"):
        raise invalid("Cannot convert an array value in an array value.")
    return _size(value, depth)


def _string_size(text: str) -> int:
    return len(text.encode()) + 1


def _name_size(name: str) -> int:
    return 16 + sum(_string_size(segment) for segment in name.split("/")[5:])


_SIZES: dict[str, Callable[[Any], int]] = {
    "null_value": lambda _: 1,
    "boolean_value": lambda _: 1,
    "integer_value": lambda _: 8,
    "double_value": lambda _: 8,
    "timestamp_value": lambda _: 8,
    "string_value": _string_size,
    "bytes_value": len,
    "reference_value": _name_size,
    "geo_point_value": lambda _: 16,
}
