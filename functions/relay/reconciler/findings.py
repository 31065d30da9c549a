"""What Gemini's answer says of a job: where it stands, and what its event holds. Pure.

Answers: https://ai.google.dev/api/batch-api, https://ai.google.dev/api/interactions-api,
https://ai.google.dev/gemini-api/docs/video
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from relay.jobs import states
from relay.jobs.documents import Record
from relay.jobs.names import BATCH, INTERACTION, VIDEO, is_id, normal, uri_file

MEMBERS = frozenset(
    {
        *("code", "createTime", "displayName", "done", "error", "generateVideoResponse"),
        *("generatedSamples", "id", "message", "metadata", "model", "name", "nextPageToken"),
        *("operations", "output", "raiMediaFilteredCount", "raiMediaFilteredReasons", "response"),
        *("responsesFile", "state", "status", "uri", "video"),
    }
)
"""The members of an answer that are read."""

RUNNING = "running"
FILTERED = "filtered"
NO_VIDEO = "no_video"

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
    return _READERS[kind](name, _object(answer))


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
    text = _text(_object(_object(answer).get("metadata")), "createTime")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else None


def model(answer: object) -> str | None:
    """Return the model of a batch; None where the answer does not say."""
    return _text(_object(_object(answer).get("metadata")), "model").removeprefix("models/") or None


def display_job(answer: object) -> str:
    """Return the id of the job that a batch's display name ends in; else empty."""
    name = _text(_object(_object(answer).get("metadata")), "displayName")
    job = name[-_ID_LENGTH:]
    return job if is_id(job) else ""


def _interaction(name: str, answer: Object) -> Finding:
    error = _error(answer)
    return Finding(_status(answer, "status"), {"id": name, **_told(error)}, (), error)


def _batch(name: str, answer: Object) -> Finding:
    metadata = _object(answer.get("metadata"))
    error, status = _error(answer), _status(metadata, "state")
    if answer.get("done") is True and states.outcome(BATCH, status) is None:
        status = "failed" if error else "succeeded"
    outputs = (_object(metadata.get("output")), _object(answer.get("response")))
    file = next(filter(None, (_text(each, "responsesFile") for each in outputs)), "")
    data = {"id": name, **({"output_file_uri": file} if file else {}), **_told(error)}
    return Finding(status, data, (), error)


def _video(name: str, answer: Object) -> Finding:
    if answer.get("done") is not True:
        return Finding(RUNNING, {"id": name})
    made = _object(_object(answer.get("response")).get("generateVideoResponse"))
    videos = [_object(_object(each).get("video")) for each in _list(made, "generatedSamples")]
    uris = [uri for video in videos if (uri := _text(video, "uri"))]
    error = _error(answer) or ({} if uris else _without_video(made))
    if error:
        return Finding("failed", {"id": name, **_told(error)}, (), error)
    files = list(filter(None, map(uri_file, uris)))
    of_file = {"file_id": uri_file(uris[0])} if uri_file(uris[0]) else {}
    return Finding("generated", {**of_file, "video_uri": uris[0]}, files)


_READERS = {INTERACTION: _interaction, BATCH: _batch, VIDEO: _video}


def _without_video(made: Object) -> Mapping[str, str]:
    reasons = [text for text in _list(made, "raiMediaFilteredReasons") if isinstance(text, str)]
    if reasons or made.get("raiMediaFilteredCount"):
        return {"code": FILTERED, "message": _cut(reasons[0] if reasons else "")}
    return {"code": NO_VIDEO, "message": "The response holds no video."}


def _error(answer: Object) -> Mapping[str, str]:
    error = answer.get("error")
    if not isinstance(error, Mapping) or not error:
        return {}
    return {name: _cut(str(error.get(name, ""))) for name in ("code", "message")}


def _told(error: Mapping[str, str]) -> Mapping[str, str]:
    return {f"error_{name}": text for name, text in error.items()}


def _status(answer: Object, name: str) -> str:
    return states.normal_status(_text(answer, name))


def _object(value: object) -> Object:
    return value if isinstance(value, Mapping) else {}


def _list(value: Object, name: str) -> Sequence[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _text(value: Object, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:_LONGEST_TEXT].decode("utf-8", "ignore")
