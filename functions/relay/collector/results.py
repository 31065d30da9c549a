"""Which result an event announces, where Gemini has it, and which object takes it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from relay.gemini.api import BASE_URL, Query
from relay.gemini.resources import file_path, job_path
from relay.jobs import names, states
from relay.jobs.names import BATCH, INTERACTION, VIDEO

EXPIRED = "expired"
NOT_FETCHABLE = "not-fetchable"
"""The reasons of the collector's dead letters."""

_FILES = {
    BATCH: ("results.jsonl", "application/jsonl"),
    VIDEO: ("video.mp4", "video/mp4"),
}
_FILE_FIELDS = ("output_file_uri", "file_id", "file_name", "video_uri")
_WITH_RESULT = frozenset({states.SUCCEEDED, states.INCOMPLETE})


class NotFetchable(ValueError):
    """An event announces a result that is nowhere that we may fetch from."""


@dataclass(frozen=True)
class Result:
    """A result to fetch: the path and query of the API that has it, and the object that takes it.

    `described` says that it is the API's description of a job, which says whether the job has
    ended, and for a batch that read a file, which file has the results.
    """

    kind: str
    folder: str
    path: str
    query: Query
    object_name: str
    content_type: str
    described: bool = False

    def in_file(self, file: str) -> "Result":
        """Return the result as a file holds it, as `files/…`."""
        return _of_file(self.kind, self.folder, file)


@dataclass(frozen=True)
class Announced:
    """An event: its type, its `data` and the `user_metadata` in it, wherever that stood."""

    type: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The job's name, as the event has it."""
        return names.event_name(self.data)


def read(body: bytes) -> Announced | None:
    """Return the event in a message's data; None where there is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        return None
    data = _object(document.get("data"))
    metadata = {
        **_object(document.get("user_metadata")),
        **_object(data.get("user_metadata")),
    }
    return Announced(document["type"], data, metadata)


def result(event: Announced, base_url: str) -> Result | None:
    """Return the result that an event announces; None for an event that announces none.

    Raises `NotFetchable`.
    """
    kind = names.event_kind(event.type)
    if states.event_outcome(event.type) not in _WITH_RESULT:
        return None
    if not event.name:
        raise NotFetchable("no name")
    try:
        folder = _folder(kind, event.name)
        file = _file(event.data, base_url) if kind in _FILES else ""
        if file:
            return _of_file(kind, folder, file)
        if kind == VIDEO:
            raise NotFetchable("no file")
        path = job_path(kind, event.name)
    except ValueError as error:
        raise NotFetchable(str(error)) from None
    query: Query = {"stream": "false"} if kind == INTERACTION else {}
    name = f"{folder}/{kind}.json"
    return Result(kind, folder, path, query, name, "application/json", described=True)


def _folder(kind: str, name: str) -> str:
    """Return the one folder for every form of a name; raises `ValueError` for lone surrogates.

    An interaction's id is one word, whatever is in it.
    """
    form = names.normal(kind, name)
    word = form if kind == INTERACTION else form.rpartition("/")[2]
    return f"{kind}/{quote(word, safe='')}"


def _of_file(kind: str, folder: str, file: str) -> Result:
    name, content_type = _FILES[kind]
    query: Query = {"alt": "media"}
    return Result(kind, folder, file_path(file), query, f"{folder}/{name}", content_type)


def _file(data: Mapping[str, Any], base_url: str) -> str:
    """Return the file that an event names, as `files/…`; empty where it names none."""
    for field_name in _FILE_FIELDS:
        given = data.get(field_name)
        if isinstance(given, str) and given:
            return _checked(given if "/" in given else names.normal(VIDEO, given), base_url)
    return ""


def _checked(given: str, base_url: str) -> str:
    parts = urlsplit(given)
    hosts = {urlsplit(url).netloc for url in (base_url, BASE_URL)}
    if (parts.scheme or parts.netloc) and parts.netloc not in hosts:
        # Another's: the API key must not go there, and a bucket is not ours to read.
        raise NotFetchable("elsewhere")
    file = names.uri_file(given)
    if not file:
        raise NotFetchable("not a file")
    return file


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
