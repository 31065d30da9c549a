"""Long-running operations: answered before they are done, then asked for.

https://google.aip.dev/151
"""

import uuid
from collections.abc import Mapping, Sequence

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.errors import ApiError, not_found
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

Names = Mapping[str, str]

_RPC = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "FAILED_PRECONDITION": 9,
    "INTERNAL": 13,
}


class Operations:
    """The operations of one API, whose calls all end before they are answered.

    `prefix` is what stands before names in the path, such as `firestore/v1/`; `parent` is the
    pattern of what stands before `operations/` in a name. Where `operations_are_asked_for`, the
    caller learns the end of an operation only by asking for it, which needs a right of its own.
    """

    def __init__(self, state: State, prefix: str, parent: str = "") -> None:
        self._state = state
        self._prefix = prefix
        self._pattern = f"{prefix}{parent}operations/{{operation}}"
        self._ended: dict[str, Json] = {}

    def routes(self) -> Sequence[Route]:
        """Return the call that asks for an operation."""
        return [Route("GET", self._pattern, self._get)]

    def done(self, names: Names, response: Json, metadata: Json | None = None) -> Json:
        """Return an operation that has succeeded; `names` fill in the pattern of its parent."""
        return self._begin(names, {"response": response}, metadata)

    def failed(self, names: Names, error: ApiError) -> Json:
        """Return an operation that has failed."""
        return self._begin(
            names, {"error": {"code": _RPC[error.code], "message": error.message}}, None
        )

    def _begin(self, names: Names, outcome: Json, metadata: Json | None) -> Json:
        path = self._pattern.format(**{**names, "operation": uuid.uuid4()})
        begun = {"name": path.removeprefix(self._prefix), "metadata": metadata or {}}
        ended = {**begun, "done": True, **outcome}
        if not self._state.realism.operations_are_asked_for:
            return ended
        self._ended[path] = ended
        return begun

    async def _get(self, call: ApiCall) -> Json:
        path = self._pattern.format(**call.names)
        if path not in self._ended:
            raise not_found(path.removeprefix(self._prefix))
        return self._ended[path]
