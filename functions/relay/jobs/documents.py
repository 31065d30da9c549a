"""A job's document: reading one whatever it lacks, and the fields that each step writes.

What a function returns is written as it is, with the precondition that the document is still at the
version read. A job only moves forward: fields of an earlier state are left out, so a step may be
repeated, or come late.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from relay.jobs import names, states

Fields = dict[str, Any]
"""Fields of a document, as Python values that Firestore takes; times in UTC."""


@dataclass(frozen=True)
class Record:
    """A job's document as read; a field that is missing or malformed is None, or empty."""

    id: str
    kind: str
    state: str
    token: str = field(default="", repr=False)
    key: str | None = None
    fingerprint: str | None = None
    status: str | None = None
    outcome: str | None = None
    name: str | None = None
    target: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    previous: str | None = None
    error: Mapping[str, str] | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deadline: datetime | None = None
    check_at: datetime | None = None
    overdue_at: datetime | None = None
    expire_at: datetime | None = None
    announced: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, job: str, fields: Mapping[str, Any]) -> "Record":
        """Read the document of `job`."""
        error = fields.get("error")
        return cls(
            id=job,
            kind=_text(fields, "kind") or "",
            state=_text(fields, "state") or "",
            token=_text(fields, "token") or "",
            key=_text(fields, "key"),
            fingerprint=_text(fields, "fingerprint"),
            status=_text(fields, "status"),
            outcome=_text(fields, "outcome"),
            name=_text(fields, "name"),
            target=_text(fields, "target"),
            metadata=_mapping(fields.get("metadata")),
            previous=_text(fields, "previous"),
            error=_texts(error) if isinstance(error, Mapping) else None,
            created_at=_time(fields, "created_at"),
            started_at=_time(fields, "started_at"),
            ended_at=_time(fields, "ended_at"),
            deadline=_time(fields, "deadline"),
            check_at=_time(fields, "check_at"),
            overdue_at=_time(fields, "overdue_at"),
            expire_at=_time(fields, "expire_at"),
            announced=_mapping(fields.get("announced")),
        )

    @property
    def final(self) -> bool:
        """Whether the state stays as it is."""
        return self.state in states.FINAL

    @property
    def start(self) -> datetime | None:
        """Since when the job runs: its recorded start, else its creation."""
        return self.started_at or self.created_at

    def announcement(self, word: str) -> Mapping[str, Any]:
        """Return what `announced` says of the `end` or the `action`; empty where nothing is."""
        entry = _mapping(self.announced.get(word))
        return entry if isinstance(entry.get("by"), str) and entry["by"] else {}


def starting(
    job: str,
    kind: str,
    token: str,
    now: datetime,
    *,
    key: str | None = None,
    fingerprint: str | None = None,
    target: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    previous: str | None = None,
    deadline: datetime | None = None,
) -> Fields:
    """Return the document of a job that is about to be posted: the intent, before the call."""
    optional = {
        "key": key,
        "fingerprint": fingerprint,
        "target": target,
        "previous": previous,
        "deadline": deadline,
    }
    return {
        "kind": kind,
        "token": token,
        "state": states.STARTING,
        "metadata": dict(metadata or {}),
        "created_at": now,
        "check_at": now + states.first_look(kind, target),
        "announced": {},
        "shard": names.shard(job),
        **_given(optional),
    }


def started(record: Record, name: str, now: datetime, *, status: str | None = None) -> Fields:
    """Return the fields of a job that Gemini has accepted under `name`, as the API takes it.

    An event may have come first; then only the name and the start are new.
    """
    fields: Fields = {"name": name, "started_at": now}
    if record.state != states.STARTING:
        return fields
    look = now + states.first_look(record.kind, record.target)
    return {**fields, "state": states.RUNNING, "check_at": look, **_given({"status": status})}


def refused(record: Record, error: Mapping[str, str], now: datetime) -> Fields:
    """Return the fields of a job that Gemini has not accepted: nothing more will come of it."""
    if record.state != states.STARTING:
        return {}
    return {
        "state": states.REFUSED,
        "error": dict(error),
        "check_at": None,
        "expire_at": now + states.RETENTION,
    }


def running(record: Record, status: str) -> Fields:
    """Return the fields of a job that goes on with `status`, in normal form."""
    if record.state not in {states.STARTING, states.RUNNING}:
        return {}
    return _changed(record, {"state": states.RUNNING, "status": status})


def ended(
    record: Record,
    status: str,
    now: datetime,
    *,
    announced: bool,
    error: Mapping[str, str] | None = None,
) -> Fields:
    """Return the fields of a job that has ended with `status`, in normal form.

    `announced` says that the end is announced, or is being announced in the same commit. Until it
    is, `check_at` stays, so that the reconciler announces the end if no event comes.
    """
    quiet: Fields = {"check_at": None} if announced else {}
    if record.final:
        return _changed(record, quiet)
    return {
        "state": states.ENDED,
        "status": status,
        "outcome": states.outcome(record.kind, status),
        "ended_at": now,
        "expire_at": now + states.RETENTION,
        **quiet,
        **_given({"error": dict(error) if error else None}),
    }


def asked_again(record: Record, now: datetime, *, status: str | None = None) -> Fields:
    """Return the fields of a job that was asked about, found without an end, and is asked again."""
    look = states.next_look(record.kind, record.target, record.start, now)
    return {"check_at": look, **(running(record, status) if status else {})}


def overdue(now: datetime) -> Fields:
    """Return the fields of a job whose passed deadline has been announced."""
    return {"overdue_at": now}


def lost(record: Record, now: datetime) -> Fields:
    """Return the fields of a job that is not asked about any more; an event may still end it."""
    if record.final:
        return _changed(record, {"check_at": None})
    return {"state": states.LOST, "check_at": None, "expire_at": now + states.RETENTION}


def adopted(
    name: str, token: str, created_at: datetime, *, status: str, target: str | None = None
) -> Fields:
    """Return the document of a running batch that was started elsewhere, at `created_at`.

    Its id is `names.adopted_id(name)`.
    """
    return {
        "kind": names.BATCH,
        "token": token,
        "state": states.RUNNING,
        "status": status,
        "name": name,
        "metadata": {},
        "created_at": created_at,
        "started_at": created_at,
        "check_at": created_at + states.ADOPTED_LOOK,
        "announced": {},
        "shard": names.shard(names.adopted_id(name)),
        **_given({"target": target}),
    }


def alias(job: str) -> Fields:
    """Return the document in `job_names` by which a name leads to a job."""
    return {"job": job}


def alias_job(fields: Mapping[str, Any]) -> str:
    """Return the job that a document in `job_names` leads to; empty if it is malformed."""
    job = _text(fields, "job") or ""
    return job if names.is_id(job) else ""


def _given(fields: Mapping[str, Any]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _changed(record: Record, fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if getattr(record, name) != value}


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None


def _time(fields: Mapping[str, Any], name: str) -> datetime | None:
    value = fields.get(name)
    return value if isinstance(value, datetime) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> Mapping[str, str]:
    entries = _mapping(value).items()
    return {name: text for name, text in entries if isinstance(text, str)}
