"""Conditions of Pub/Sub's filter language: evaluated on a message's attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Filter(Protocol):
    """A condition on a message's attributes."""

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Return whether a message with these attributes matches."""
        ...


@dataclass(frozen=True)
class Everything:
    """No condition: what an empty filter means."""

    def matches(self, _attributes: Mapping[str, str]) -> bool:
        """Return whether a message with these attributes matches."""
        return True


@dataclass(frozen=True)
class Has:
    """`attributes:key`."""

    key: str

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Return whether a message with these attributes matches."""
        return self.key in attributes


@dataclass(frozen=True)
class Equals:
    """`attributes.key = "value"`; its negation is true of a message without the key too."""

    key: str
    value: str

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Return whether a message with these attributes matches."""
        return attributes.get(self.key) == self.value


@dataclass(frozen=True)
class HasPrefix:
    """`hasPrefix(attributes.key, "prefix")`."""

    key: str
    prefix: str

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Return whether a message with these attributes matches."""
        value = attributes.get(self.key)
        return value is not None and value.startswith(self.prefix)


@dataclass(frozen=True)
class Not:
    """`NOT condition`."""

    condition: Filter

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Return whether a message with these attributes matches."""
        return not self.condition.matches(attributes)


@dataclass(frozen=True)
class And:
    """Conditions that must all hold."""

    conditions: tuple[Filter, ...]

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Return whether a message with these attributes matches."""
        return all(condition.matches(attributes) for condition in self.conditions)


@dataclass(frozen=True)
class Or:
    """Conditions of which one must hold."""

    conditions: tuple[Filter, ...]

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Return whether a message with these attributes matches."""
        return any(condition.matches(attributes) for condition in self.conditions)
