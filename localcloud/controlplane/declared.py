"""What the declared indexes and TTL policies of a database mean for the embedded Firestore."""

from collections.abc import Iterator

from localcloud.controlplane.state import State
from localcloud.firestore.indexes import Indexes, described


def indexes_of(state: State, database: str, group: str) -> Indexes:
    """Return the indexes that a collection group has, those of its database's default included."""
    groups = f"{database}/collectionGroups"
    resources = state.resources
    return described(
        resources.under(f"{groups}/{group}/indexes/"),
        # Of a field that both configure, the later one counts.
        [
            *resources.under(f"{groups}/__default__/fields/"),
            *resources.under(f"{groups}/{group}/fields/"),
        ],
    )


def ttl_policies(state: State) -> Iterator[tuple[str, str, str]]:
    """Yield the database, the collection group and the field of each TTL policy."""
    for name in state.resources:
        group, _, field = name.partition("/fields/")
        database, _, collection = group.partition("/collectionGroups/")
        declared = field and database in state.resources and collection
        if declared and "ttlConfig" in state.resources.get(name):
            yield database, collection, field
