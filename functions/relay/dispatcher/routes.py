"""Where an event goes: to the events topic always, and to the routes that match it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from re import compile as pattern
from typing import NoReturn

from relay.environment import Environment
from relay.errors import ConfigurationError

EVENTS = "events"
"""The reserved name of the route that matches everything."""

MAX_ROUTES = 50
MAX_GLOBS = 50
MAX_METADATA = 20
_MAX_FILE_BYTES = 1 << 20

_NAME = pattern(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_EXAMPLE = '[{"name": "blue", "types": ["batch.*"], "topic": "blue"}]'
_FIELDS = {"name", "types", "metadata", "topic"}


@dataclass(frozen=True)
class Route:
    """Events whose type matches one of `types` and whose metadata holds all of `metadata`.

    `types` are globs as `fnmatch` knows them, and case counts. `topic` is `projects/…/topics/…`.
    """

    name: str
    topic: str
    types: tuple[str, ...] = ("*",)
    metadata: Mapping[str, str] | None = None

    def matches(self, event_type: str, metadata: Mapping[str, str]) -> bool:
        """Tell whether an event of this type with this `user_metadata` takes the route."""
        wanted = (self.metadata or {}).items()
        return all(metadata.get(key) == value for key, value in wanted) and any(
            fnmatchcase(event_type, glob) for glob in self.types
        )


def select(
    routes: Iterable[Route], event_type: str, metadata: Mapping[str, str]
) -> tuple[Route, ...]:
    """Return the routes that an event takes; of several to one topic, the first."""
    by_topic: dict[str, Route] = {}
    for route in routes:
        if route.matches(event_type, metadata):
            by_topic.setdefault(route.topic, route)
    return tuple(by_topic.values())


def read_routes(environment: Environment) -> tuple[Route, ...]:
    """Return the events topic's route and those of `ROUTES`: JSON, or the path of a JSON file.

    Raises `ConfigurationError`, which names the entry that is wrong and says what to do.
    """
    topic = environment.topic("EVENTS_TOPIC", "gemini-webhooks-events")
    entries = _entries(environment.text("ROUTES"))
    routes = [_route(environment, number, entry) for number, entry in enumerate(entries, 1)]
    names = [EVENTS, *(route.name for route in routes)]
    for number, name in enumerate(names):
        if name in names[:number]:
            _refuse(f"entry {number}: its name is taken; names are unique, and 'events' is ours")
    return (Route(EVENTS, topic), *routes)


def _refuse(problem: str) -> NoReturn:
    raise ConfigurationError("ROUTES", problem, example=_EXAMPLE)


def _entries(text: str) -> list[object]:
    if not text:
        return []
    try:
        entries = json.loads(text if text.startswith(("[", "{")) else _file(text))
    except (ValueError, RecursionError):
        _refuse("is not JSON")
    if not isinstance(entries, list):
        _refuse("is not a list of routes")
    if len(entries) > MAX_ROUTES:
        _refuse(f"has more than {MAX_ROUTES} routes")
    return entries


def _file(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError):
        _refuse("is neither JSON nor the path of a file that can be read")
    if len(content) > _MAX_FILE_BYTES:
        _refuse(f"names a file of more than {_MAX_FILE_BYTES} bytes")
    return content


def _route(environment: Environment, number: int, entry: object) -> Route:
    if not isinstance(entry, dict):
        _refuse(f"entry {number} is not an object")
    if unknown := entry.keys() - _FIELDS:
        _refuse(f"entry {number} has {len(unknown)} unknown field(s); known: {sorted(_FIELDS)}")
    name, topic = entry.get("name"), entry.get("topic")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        _refuse(f"entry {number}: name is not 1 to 63 letters, digits, '-' and '_'")
    if not isinstance(topic, str):
        _refuse(f"entry {number}: topic is not a string")
    path = environment.topic_path("ROUTES", topic, example=_EXAMPLE)
    return Route(name, path, _types(number, entry.get("types")), _metadata(number, entry))


def _types(number: int, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_GLOBS:
        _refuse(f"entry {number}: types is not a list of 1 to {MAX_GLOBS} globs")
    if not all(isinstance(glob, str) and 1 <= len(glob) <= 256 for glob in value):
        _refuse(f"entry {number}: types holds something else than strings of 1 to 256 characters")
    return tuple(value)


def _metadata(number: int, entry: Mapping[str, object]) -> Mapping[str, str]:
    value = entry.get("metadata", {})
    if not isinstance(value, dict) or len(value) > MAX_METADATA:
        _refuse(f"entry {number}: metadata is not an object of at most {MAX_METADATA} entries")
    if not all(isinstance(wanted, str | int | float) for wanted in value.values()):
        _refuse(f"entry {number}: metadata holds something else than strings, numbers and booleans")
    # As scalars read in an event's `user_metadata`: a string as it is, the rest as JSON writes it.
    return {
        key: wanted if isinstance(wanted, str) else json.dumps(wanted)
        for key, wanted in value.items()
    }
