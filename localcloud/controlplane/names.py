"""The project of the local cloud, which resource names state by id or by number."""

import re
from dataclasses import dataclass

_PROJECT = re.compile(r"(?<![^/])projects/([^/]+)")


@dataclass(frozen=True)
class Project:
    """A project: its id (chosen) and its number (given by Google)."""

    id: str = "local-project"
    number: str = "123456789012"

    def is_ours(self, name: str) -> bool:
        """Return whether `name` is this project's id or number."""
        return name in {self.id, self.number}

    def number_of(self, name: str) -> str:
        """Return the number of the project that has `name` for its id, if it is this one."""
        return self.number if name == self.id else name

    def by_id(self, name: str) -> str:
        """Return a resource name with our project's number replaced by its id."""
        return _PROJECT.sub(lambda m: self._swap(m, self.number, self.id), name, count=1)

    def by_number(self, name: str) -> str:
        """Return a resource name with our project's id replaced by its number."""
        return _PROJECT.sub(lambda m: self._swap(m, self.id, self.number), name, count=1)

    @staticmethod
    def _swap(match: re.Match[str], old: str, new: str) -> str:
        return f"projects/{new}" if match[1] == old else match[0]


def parent(name: str) -> str:
    """Return the name two segments up: `projects/p` of `projects/p/topics/t`."""
    return name.rsplit("/", 2)[0]


def last(name: str) -> str:
    """Return a name's last segment."""
    return name.rsplit("/", 1)[-1]
