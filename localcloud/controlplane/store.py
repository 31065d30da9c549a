"""Storage of JSON objects by relative resource name, such as `projects/p/topics/t`."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from localcloud.controlplane.errors import already_exists, not_found

Json = dict[str, Any]


class Resources:
    """Resources in memory; callers give and get copies."""

    def __init__(self) -> None:
        self._by_name: dict[str, Json] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._by_name))

    def create(self, name: str, value: Json) -> Json:
        """Store a new resource and return it; `ALREADY_EXISTS` if there is one."""
        if name in self._by_name:
            raise already_exists(name)
        return self.put(name, value)

    def put(self, name: str, value: Json) -> Json:
        """Store a resource, new or not, and return it."""
        self._by_name[name] = copy.deepcopy(value)
        return self.get(name)

    def get(self, name: str) -> Json:
        """Return a resource; `NOT_FOUND` if there is none."""
        if name not in self._by_name:
            raise not_found(name)
        return copy.deepcopy(self._by_name[name])

    def patch(self, name: str, changes: Json, mask: Iterable[str] | None = None) -> Json:
        """Change the fields of `mask` (dotted, camelCase), or those present in `changes`.

        A field in the mask that `changes` lacks is cleared.
        """
        value = self.get(name)
        for path in changes if mask is None else mask:
            _assign(value, changes, path.split("."))
        return self.put(name, value)

    def delete(self, name: str) -> Json:
        """Remove and return a resource; `NOT_FOUND` if there is none."""
        value = self.get(name)
        del self._by_name[name]
        return value

    def under(self, prefix: str) -> list[Json]:
        """Return the resources whose names are `prefix` and one more segment, in order of name."""
        depth = prefix.count("/")
        return [
            self.get(name) for name in self if name.startswith(prefix) and name.count("/") == depth
        ]


def _assign(target: Json, source: Json, path: list[str]) -> None:
    head, *rest = path
    if head not in source:
        target.pop(head, None)
    elif rest and isinstance(source[head], dict):
        _assign(target.setdefault(head, {}), source[head], rest)
    else:
        target[head] = copy.deepcopy(source[head])
