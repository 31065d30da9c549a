"""A model of Firestore's documents: preconditions and update times exactly, and nothing else."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from relay.gcp.database import Write
from relay.gcp.queries import Condition, Found, Query
from relay.gcp.store import Conflict, Snapshot


class Documents:
    """Documents in memory; a version is an update time."""

    def __init__(self) -> None:
        self._documents: dict[str, Snapshot] = {}
        self._versions = itertools.count(1)

    def create(self, document: str, fields: Mapping[str, Any]) -> int:
        if document in self._documents:
            raise Conflict("AlreadyExists")
        return self._write(document, fields)

    def read(self, document: str) -> Snapshot | None:
        found = self._documents.get(document)
        return Snapshot(_copied(found.fields), found.version) if found else None

    def update(self, document: str, fields: Mapping[str, Any], version: int) -> int:
        found = self._documents.get(document)
        if found is None or found.version != version:
            raise Conflict("NotFound" if found is None else "FailedPrecondition")
        changed = {**found.fields, **fields}
        # A write that changes nothing leaves the update time as it is.
        return version if changed == found.fields else self._write(document, changed)

    def commit(self, writes: Sequence[Write]) -> None:
        before = dict(self._documents)
        try:
            for write in writes:
                if write.version is None:
                    self.create(write.document, write.fields)
                else:
                    self.update(write.document, write.fields, write.version)
        except Conflict:
            self._documents = before
            raise

    def delete(self, document: str) -> None:
        del self._documents[document]

    def find_all(self, collection: str) -> list[str]:
        prefix = f"{collection}/"
        return [name.removeprefix(prefix) for name in self._documents if name.startswith(prefix)]

    def find(self, query: Query) -> list[Found]:
        met = [
            Found(name.removeprefix(f"{query.collection}/"), snapshot)
            for name, snapshot in self._documents.items()
            if name.startswith(f"{query.collection}/")
            and all(_meets(snapshot.fields, condition) for condition in query.conditions)
        ]
        if query.order:
            met.sort(key=lambda each: _position(query, each))
        if query.after:
            last = _position(query, query.after)
            met = [each for each in met if _position(query, each) > last]
        return met[: query.limit or None]

    def _write(self, document: str, fields: Mapping[str, Any]) -> int:
        version = next(self._versions)
        self._documents[document] = Snapshot(_copied(fields), version)
        return version


def _copied(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, list) else value for name, value in fields.items()
    }


def _position(query: Query, found: Found) -> Any:
    return found.snapshot.fields[query.order], found.id


def _meets(fields: Mapping[str, Any], condition: Condition) -> bool:
    name, operator, wanted = condition
    value = fields.get(name)
    if operator == "in":
        return value in wanted
    if operator == "==":
        return bool(value == wanted)
    # A comparison leaves out what is of another type.
    return isinstance(value, type(wanted)) and bool(value <= wanted)


class MemoryStore:
    """A `relay.gcp.store.Store` over documents in memory; remembers the names of its calls."""

    def __init__(self) -> None:
        self.documents = Documents()
        self.calls: list[str] = []

    async def create(self, document: str, fields: Mapping[str, Any]) -> int:
        self.calls.append("create")
        return self.documents.create(document, fields)

    async def read(self, document: str) -> Snapshot | None:
        self.calls.append("read")
        return self.documents.read(document)

    async def update(self, document: str, fields: Mapping[str, Any], version: int) -> int:
        self.calls.append("update")
        return self.documents.update(document, fields, version)


class MemoryDatabase:
    """A `relay.gcp.database.SearchableDatabase` in memory; remembers its calls."""

    def __init__(self) -> None:
        self.documents = Documents()
        self.calls: list[str] = []

    async def read(self, *documents: str) -> Sequence[Snapshot | None]:
        self.calls.append("read")
        return [self.documents.read(document) for document in documents]

    async def commit(self, *writes: Write) -> None:
        self.calls.append("commit")
        self.documents.commit(writes)

    async def find(self, query: Query) -> Sequence[Found]:
        self.calls.append("find")
        return self.documents.find(query)

    async def count(self, query: Query) -> int:
        self.calls.append("count")
        return len(self.documents.find(replace(query, limit=0)))

    def fields(self, document: str) -> dict[str, Any]:
        """Return the fields of a document that exists."""
        found = self.documents.read(document)
        assert found is not None, document
        return dict(found.fields)
