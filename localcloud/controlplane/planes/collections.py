"""Collections of resources that are only stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

Prepare = Callable[[ApiCall, Json], Json]
"""Checks a resource's JSON as given, on creation or after a change, and fills in what Google
would; raises `ApiError`."""

Wrap = Callable[[ApiCall, Json], Json]
"""Makes the answer out of a resource, for example an operation that holds it."""


@dataclass(frozen=True)
class Collection:
    """Resources of one kind.

    `prefix` is what stands before the names in the path, such as `monitoring/v3/`; `parent` and
    `kind` make the name; `id_of` says under which id a new one is stored; `key` is the field that
    lists hold the resources in, if it is not `kind`. Creation and deletion answer `wrap_new`.
    """

    state: State
    prefix: str
    parent: str
    kind: str
    id_of: Callable[[ApiCall], str]
    prepare: Prepare
    key: str = ""
    wrap_new: Wrap = lambda _call, value: value

    def routes(self) -> Sequence[Route]:
        """Return the five calls on this collection."""
        collection = f"{self.prefix}{self.parent}/{self.kind}"
        return [
            Route("POST", collection, self._create),
            Route("GET", collection, self._list),
            Route("GET", f"{collection}/{{id}}", self._get),
            Route("PATCH", f"{collection}/{{id}}", self._change),
            Route("PUT", f"{collection}/{{id}}", self._change),
            Route("DELETE", f"{collection}/{{id}}", self._delete),
        ]

    def _collection(self, call: ApiCall) -> str:
        parent = self.state.project.by_id(self.parent.format(**call.names))
        return f"{parent}/{self.kind}"

    def _name(self, call: ApiCall) -> str:
        return f"{self._collection(call)}/{call.names['id']}"

    async def _create(self, call: ApiCall) -> Json:
        name = f"{self._collection(call)}/{self.id_of(call)}"
        value = self.prepare(call, {**call.body, "name": name})
        return self.wrap_new(call, self.state.resources.create(name, value))

    async def _list(self, call: ApiCall) -> Json:
        found = self.state.resources.under(f"{self._collection(call)}/")
        return {self.key or self.kind: found}

    async def _get(self, call: ApiCall) -> Json:
        return self.state.resources.get(self._name(call))

    async def _change(self, call: ApiCall) -> Json:
        name = self._name(call)
        old = self.state.resources.get(name)
        changed = self.state.resources.patch(name, call.body, call.mask())
        changed["name"] = name
        try:
            new = self.prepare(call, changed)
        except BaseException:
            self.state.resources.put(name, old)
            raise
        return self.state.resources.put(name, new)

    async def _delete(self, call: ApiCall) -> Json:
        name = self._name(call)
        self.state.resources.delete(name)
        self.state.policies.delete(name)
        return self.wrap_new(call, {})
