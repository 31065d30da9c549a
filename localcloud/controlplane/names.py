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
        return _PROJECT.sub(
            lambda match: f"projects/{self.id if match[1] == self.number else match[1]}",
            name,
            count=1,
        )
