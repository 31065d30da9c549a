"""Commits: all writes or none, at one time; and batches, each write by itself."""

from collections.abc import Sequence

import grpc
from google.rpc.status_pb2 import Status

from localcloud.core.rpc import RpcError
from localcloud.core.statuses import invalid
from localcloud.firestore import writes
from localcloud.firestore.messages import Document, Write, WriteResult
from localcloud.firestore.store import Store

MAX_BATCH = 500


def commit(
    store: Store, database: str, requested: Sequence[Write]
) -> tuple[list[WriteResult], int]:
    """Apply writes in order, all at one time or, if one is refused, none.

    Returns their results and the time, in microseconds. A document may be written several times;
    each write then sees what the one before it left.
    """
    time = store.commit_time()
    pending: dict[str, Document | None] = {}
    results = []
    for write in requested:
        name = writes.target(write, database)
        old = pending[name] if name in pending else store.get(name)
        pending[name], result = writes.apply(write, name, old, time)
        results.append(result)
    for name, document in pending.items():
        store.set(name, document)
    return results, time


def batch(
    store: Store, database: str, requested: Sequence[Write]
) -> tuple[list[WriteResult], list[Status]]:
    """Apply writes one by one, each at its own time and independent of the others."""
    if len(requested) > MAX_BATCH:
        raise invalid(f"A batch cannot have more than {MAX_BATCH} writes.")
    targets = [writes.target(write, database) for write in requested]
    if len(set(targets)) < len(targets):
        raise invalid("A batch cannot write a document more than once.")
    outcomes = [_attempt(store, database, write) for write in requested]
    return [result for result, _ in outcomes], [status for _, status in outcomes]


def _attempt(store: Store, database: str, write: Write) -> tuple[WriteResult, Status]:
    try:
        results, _ = commit(store, database, [write])
    except RpcError as error:
        return WriteResult(), Status(code=_number(error.code), message=error.message)
    return results[0], Status()


def _number(code: grpc.StatusCode) -> int:
    number, _ = code.value
    return int(number)
