"""Named databases: separate documents, and whether a database exists at all."""

from collections.abc import Callable, Iterator

from localcloud.core.clock import Clock
from localcloud.core.raw import micros
from localcloud.core.statuses import not_found
from localcloud.firestore import fieldpaths, names
from localcloud.firestore.indexes import Indexes
from localcloud.firestore.messages import Value
from localcloud.firestore.store import Store

Indexed = Callable[[str, str], Indexes]
"""Returns the indexes of a collection group, by `projects/P/databases/D` and its id."""

Exists = Callable[[str], bool]
"""Returns whether the database `projects/P/databases/D` exists."""


class Database:
    """One database and its documents."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.store = Store(clock)


class Databases:
    """Databases by name, each created on first use, if it exists."""

    def __init__(self, clock: Clock, exists: Exists) -> None:
        self._clock = clock
        self._exists = exists
        self._databases: dict[str, Database] = {}

    def of(self, resource: str) -> Database:
        """Return the database that a resource name lies in; NOT_FOUND if it does not exist."""
        name = names.database_of(resource)
        if not self._exists(name):
            _, project, _, database = name.split("/")
            raise not_found(f"The database {database} does not exist for project {project}")
        if name not in self._databases:
            self._databases[name] = Database(name, self._clock)
        return self._databases[name]

    def stores(self) -> Iterator[Store]:
        """Yield the documents of every database."""
        for database in self._databases.values():
            yield database.store

    def drop(self, name: str) -> None:
        """Delete a database with its documents."""
        self._databases.pop(name, None)

    def expire(self, name: str, collection_group: str, field: str) -> int:
        """Delete the expired documents of a collection group."""
        store = self.of(name).store
        path = fieldpaths.parse(field)
        now = int(self._clock.time() * 1_000_000)
        groups = [each for each in store.collections() if each.endswith(f"/{collection_group}")]
        expired = [
            document.name
            for collection in groups
            for document in store.documents(collection)
            if _is_over(fieldpaths.get(document.fields, path), now)
        ]
        for document_name in expired:
            store.set(document_name, None)
        return len(expired)


def _is_over(value: Value | None, now: int) -> bool:
    # The service ignores a TTL field that is no timestamp.
    if value is None or not value.HasField("timestamp_value"):
        return False
    return micros(value.timestamp_value) <= now
