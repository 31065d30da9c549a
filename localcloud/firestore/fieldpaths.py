"""Field paths: parsing them, and reading, setting and deleting what they name.

A path is a dot-separated list of names; a name that is not a simple identifier is quoted with
backticks, in which a backslash escapes a backtick or a backslash (the syntax at
`google.firestore.v1.Document.fields`). The client library's own parser is not used: it misreads a
name that ends in a backslash.
"""

import functools
import re
from collections.abc import MutableMapping, Sequence

from localcloud.core.statuses import invalid
from localcloud.firestore.messages import Document, DocumentMask, Value

Path = tuple[str, ...]
Fields = MutableMapping[str, Value]

DOCUMENT_ID = ("__name__",)

_NAME = re.compile(r"(?P<simple>[A-Za-z_][A-Za-z_0-9]*)|`(?P<quoted>(?:[^`\\]|\\.)+)`", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """Return the names in a field path; refuse one that is malformed."""
    names: list[str] = []
    position = 0
    while found := _NAME.match(text, position):
        quoted = found["quoted"]
        names.append(found["simple"] if quoted is None else _ESCAPE.sub(r"\1", quoted))
        position = found.end()
        if position == len(text):
            return tuple(names)
        if text[position] != ".":
            break
        position += 1
    raise invalid(f'Invalid property path "{text[:256]}".')


def get(fields: Fields, path: Path) -> Value | None:
    """Return the value that a path names, None where there is none."""
    value: Value | None = None
    for name in path:
        # Looking up a missing key of a protobuf map would create it.
        if name not in fields:
            return None
        value = fields[name]
        fields = value.map_value.fields if value.HasField("map_value") else {}
    return value


def put(fields: Fields, path: Path, value: Value) -> None:
    """Set a path to a value, replacing whatever on the way to it is no map."""
    for name in path[:-1]:
        fields[name].map_value.SetInParent()
        fields = fields[name].map_value.fields
    fields[path[-1]].CopyFrom(value)


def delete(fields: Fields, path: Path) -> None:
    """Remove a path, if it exists."""
    for name in path[:-1]:
        if name not in fields or not fields[name].HasField("map_value"):
            return
        fields = fields[name].map_value.fields
    if path[-1] in fields:
        del fields[path[-1]]


def resolve(document: Document, path: Path) -> Value | None:
    """Return a document's value at a path; `__name__` is the document's name."""
    if path == DOCUMENT_ID:
        return Value(reference_value=document.name)
    return get(document.fields, path)


def project(document: Document, paths: Sequence[Path]) -> Document:
    """Return a copy of a document that has the given fields alone."""
    masked = Document(
        name=document.name, create_time=document.create_time, update_time=document.update_time
    )
    for path in paths:
        value = get(document.fields, path)
        if value is not None and path != DOCUMENT_ID:
            put(masked.fields, path, value)
    return masked


def masked(document: Document, mask: DocumentMask | None) -> Document:
    """Return a document's fields that a mask names; None names all."""
    if mask is None:
        return document
    return project(document, [parse(path) for path in mask.field_paths])
