"""What Gemini's answer says of a job: where it stands, and what its event holds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from relay.ingress import parse_time
from relay.jobs import replies, states
from relay.jobs.documents import Record
from relay.jobs.names import BATCH, is_id, normal, uri_file

MEMBERS = frozenset(
    {
        *("code", "createTime", "displayName", "done", "error", "errors", "generatedSamples"),
        *("generateVideoResponse", "message", "metadata", "model", "name", "nextPageToken"),
        *("operations", "output", "raiMediaFilteredCount", "raiMediaFilteredReasons"),
        *("response", "responsesFile", "state", "status", "uri", "video"),
    }
)
"""The members of an answer that are read."""

_LONGEST_TEXT = 1024
_ID_LENGTH = len("job_") + 32

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Where a job stands.

    `status` is in normal form, and empty where the answer does not say. `data` is the event's,
    without `user_metadata`. `names` are those that the answer tells, `error` is the document's.
    """

    status: str
    data: Object = field(default_factory=dict)
    names: Sequence[str] = ()
    error: Mapping[str, str] = field(default_factory=dict)

    def ends(self, kind: str) -> bool:
        """Tell whether a job of this kind has ended."""
        return states.outcome(kind, self.status) is not None


def read(kind: str, name: str, answer: object) -> Finding:
    """Return what an answer says of the job of that name."""
    given = _object(answer)
    seen = replies.read(kind, given)
    status, error = seen.status, _bounded(seen.error)
    if status == replies.GENERATED:
        file = uri_file(seen.uris[0])
        data = {**({"file_id": file} if file else {}), "video_uri": seen.uris[0]}
        return Finding(status, data, seen.files)
    output = {"output_file_uri": seen.files[0]} if kind == BATCH and seen.files else {}
    return Finding(status, {"id": name, **output, **_told(error)}, (), error)


def recorded(record: Record) -> Finding:
    """Return what its document says of a job that has ended, where Gemini says nothing."""
    error = {name: text for name, text in (record.error or {}).items() if text}
    data = {"id": record.name or record.id, **_told(error)}
    return Finding(record.status or "", data, (), error)


def operation_name(kind: str, answer: object) -> str:
    """Return an operation's name in normal form; empty where there is none."""
    name = _text(_object(answer), "name")
    return normal(kind, name) if name else ""


def created(answer: object) -> datetime | None:
    """Return when a batch was created; None where the answer does not say."""
    return parse_time(_object(_object(answer).get("metadata")).get("createTime"))


def model(answer: object) -> str | None:
    """Return the model of a batch; None where the answer does not say."""
    return _text(_object(_object(answer).get("metadata")), "model").removeprefix("models/") or None


def display_job(answer: object) -> str:
    """Return the id of the job that a batch's display name ends in; else empty."""
    name = _text(_object(_object(answer).get("metadata")), "displayName")
    job = name[-_ID_LENGTH:]
    return job if is_id(job) else ""


def _told(error: Mapping[str, str]) -> Mapping[str, str]:
    return {f"error_{name}": text for name, text in error.items()}


def _bounded(error: Mapping[str, object] | None) -> Mapping[str, str]:
    given = error or {}
    return {name: _cut(str(given[name])) for name in ("code", "message") if name in given}


def _object(value: object) -> Object:
    return value if isinstance(value, Mapping) else {}


def _text(value: Object, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:_LONGEST_TEXT].decode("utf-8", "ignore")
