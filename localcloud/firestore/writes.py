"""One write of a document: precondition, update with mask, deletion, transforms.

A write that changes nothing keeps the document's `update_time`, as the API states
(`google.firestore.v1.WriteResult.update_time`).
"""

from collections.abc import Callable

from localcloud.core.raw import micros, timestamp
from localcloud.core.statuses import (
    already_exists,
    failed_precondition,
    invalid,
    not_found,
    unimplemented,
)
from localcloud.firestore import fieldpaths, limits, names, transforms
from localcloud.firestore.messages import (
    Document,
    FieldTransform,
    Precondition,
    Value,
    Write,
    WriteResult,
)

MAX_TRANSFORMS = 500

Outcome = tuple[Document | None, WriteResult]


def target(write: Write, database: str) -> str:
    """Return the name of the document that a write changes, in `database`."""
    operation = write.WhichOneof("operation")
    if operation is None:
        raise invalid("A write must be an update, a delete or a transform.")
    if operation not in _OPERATIONS:
        raise unimplemented("Firestore", f"a write that is a {operation}")
    name = write.update.name if operation == "update" else write.delete
    names.check_document(name, database)
    return str(name)


def apply(write: Write, name: str, old: Document | None, commit_time: int) -> Outcome:
    """Return the document after a write (None: deleted) and the write's result.

    `old` is the document before it, None if there was none; it is not changed. Raises `RpcError`
    with the service's status if the precondition does not hold or the write is malformed.
    """
    if write.HasField("current_document"):
        _check(write.current_document, name, old)
    return _OPERATIONS[write.WhichOneof("operation")](write, name, old, commit_time)


def _check(precondition: Precondition, name: str, old: Document | None) -> None:
    kind = precondition.WhichOneof("condition_type")
    if kind == "update_time":
        _check_update_time(precondition, old)
    elif kind == "exists" and precondition.exists and old is None:
        raise not_found(f"No document to update: {name}")
    elif kind == "exists" and not precondition.exists and old is not None:
        raise already_exists(f"Document already exists: {name}")


def _check_update_time(precondition: Precondition, old: Document | None) -> None:
    if precondition.update_time.nanos % 1000:
        raise invalid("The update_time of a precondition must be aligned to microseconds.")
    required = micros(precondition.update_time)
    stored = 0 if old is None else micros(old.update_time)
    if old is None or stored != required:
        raise failed_precondition(
            f"the stored version ({stored}) does not match the required base version ({required})"
        )


def _update(write: Write, name: str, old: Document | None, commit_time: int) -> Outcome:
    new = Document(name=name)
    if write.HasField("update_mask"):
        _merge(new, write, old)
    else:
        new.MergeFrom(Document(fields=write.update.fields))
    return _finish(new, old, write.update_transforms, commit_time)


def _merge(new: Document, write: Write, old: Document | None) -> None:
    if old is not None:
        new.MergeFrom(old)
    for text in write.update_mask.field_paths:
        path = fieldpaths.parse(text)
        value: Value | None = fieldpaths.get(write.update.fields, path)
        if value is None:
            fieldpaths.delete(new.fields, path)
        else:
            fieldpaths.put(new.fields, path, value)


def _delete(_write: Write, _name: str, _old: Document | None, _commit_time: int) -> Outcome:
    return None, WriteResult()


def _finish(
    new: Document,
    old: Document | None,
    field_transforms: list[FieldTransform],
    commit_time: int,
) -> Outcome:
    if len(field_transforms) > MAX_TRANSFORMS:
        raise invalid(f"A write cannot have more than {MAX_TRANSFORMS} transforms.")
    results = [transforms.apply(new.fields, each, commit_time) for each in field_transforms]
    limits.admit(new)
    _stamp(new, old, commit_time)
    return new, WriteResult(update_time=new.update_time, transform_results=results)


def _stamp(new: Document, old: Document | None, commit_time: int) -> None:
    now = timestamp(commit_time)
    new.create_time.CopyFrom(now if old is None else old.create_time)
    new.update_time.CopyFrom(now if old is None else old.update_time)
    if old is not None and _bytes(new) != _bytes(old):
        new.update_time.CopyFrom(now)


def _bytes(document: Document) -> bytes:
    return document.SerializeToString(deterministic=True)


_OPERATIONS: dict[str, Callable[[Write, str, Document | None, int], Outcome]] = {
    "update": _update,
    "delete": _delete,
}
