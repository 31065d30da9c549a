"""Long-running operations, each of which is done when it is returned."""

import uuid

from localcloud.controlplane.errors import ApiError
from localcloud.controlplane.store import Json


def done(response: Json, metadata: Json | None = None) -> Json:
    """Return an operation that has succeeded."""
    return {**_operation(metadata), "response": response}


def failed(error: ApiError, metadata: Json | None = None) -> Json:
    """Return an operation that has failed."""
    return {**_operation(metadata), "error": {"code": _RPC[error.code], "message": error.message}}


_RPC = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "FAILED_PRECONDITION": 9,
    "INTERNAL": 13,
}


def _operation(metadata: Json | None) -> Json:
    return {"name": f"operations/{uuid.uuid4()}", "done": True, "metadata": metadata or {}}
