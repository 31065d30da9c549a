"""Resource names: databases, collections and documents.

`projects/P/databases/D/documents` is the root; below it collections and documents alternate.
Constraints: https://cloud.google.com/firestore/quotas#collections_documents_and_fields
"""

import re

from localcloud.core.statuses import invalid

MAX_ID_BYTES = 1500
MAX_NAME_BYTES = 6 * 1024

_DATABASE = re.compile(r"projects/[^/]+/databases/[^/]+")
_RESERVED = re.compile(r"__.*__", re.DOTALL)
_NUMERIC_ID = re.compile(r"__id(-?\d+)__")

PathKey = tuple[tuple[int, int | str], ...]


def database_of(name: str) -> str:
    """Return the database, `projects/P/databases/D`, that a name lies in."""
    found = _DATABASE.match(name)
    if not found:
        raise invalid(f'Resource name "{name}" does not start with projects/*/databases/*.')
    return found.group()


def check_document(name: str, database: str) -> None:
    """Refuse a name that is not a document's in `database`."""
    segments = _segments(name, database)
    if not segments or len(segments) % 2:
        raise invalid(f'Document name "{name}" lacks a collection or a document id.')
    if len(name.encode()) > MAX_NAME_BYTES:
        raise invalid(f"Document name is longer than {MAX_NAME_BYTES} bytes.")
    for segment in segments:
        _check_id(segment, name)


def check_parent(name: str, database: str) -> None:
    """Refuse a name that is neither the root of `database` nor a document in it."""
    if name != f"{database}/documents":
        check_document(name, database)


def split(name: str) -> tuple[str, str]:
    """Return a document's collection and its id."""
    collection, _, document_id = name.rpartition("/")
    return collection, document_id


def path_key(name: str) -> PathKey:
    """Return what orders names: by segments, numeric ids (`__id7__`) before all others."""
    return tuple(_segment_key(segment) for segment in name.split("/"))


def _segments(name: str, database: str) -> list[str]:
    root, rest = name[: len(database) + 11], name[len(database) + 11 :]
    if root != f"{database}/documents/":
        raise invalid(f'Document name "{name}" is not in the database "{database}".')
    return rest.split("/") if rest else []


def _check_id(segment: str, name: str) -> None:
    reserved = _RESERVED.fullmatch(segment) and not _NUMERIC_ID.fullmatch(segment)
    if segment in {"", ".", ".."} or reserved or len(segment.encode()) > MAX_ID_BYTES:
        raise invalid(f'Document name "{name}" contains an invalid id "{segment[:64]}".')


def _segment_key(segment: str) -> tuple[int, int | str]:
    numeric = _NUMERIC_ID.fullmatch(segment)
    return (0, int(numeric[1])) if numeric else (1, segment)
