"""A job as the library shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from relay.jobs.documents import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job at one moment; a call returns a new one. Times are in UTC.

    `id` is the ledger's id, or without a ledger `name`: the interaction's id, `batches/…` or
    `models/…/operations/…`. `state` is `starting`, `running`, `ended`, `refused` or `lost`;
    `status` is Gemini's own word; `outcome` is `succeeded`, `failed`, `cancelled`, `expired` or
    `incomplete` once it has ended. `target` is the model or the agent. `previous` is the name of
    the interaction that this one goes on from. `error` holds `code` and `message`. `announced`
    holds what the dispatcher has published of the job.
    """

    id: str
    kind: str
    state: str
    key: str | None = None
    fingerprint: str | None = None
    status: str | None = None
    outcome: str | None = None
    name: str | None = None
    target: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    previous: str | None = None
    error: Mapping[str, Any] | None = field(default=None, hash=False)
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deadline: datetime | None = None
    check_at: datetime | None = None
    overdue_at: datetime | None = None
    announced: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def ended(self) -> bool:
        """Whether it is over: ended, or refused by Gemini."""
        return self.state in {"ended", "refused"}

    @property
    def succeeded(self) -> bool:
        """Whether it has ended by success."""
        return self.outcome == "succeeded"

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return what the ledger says of a job, without what only the relay needs."""
        known = {name: getattr(record, name) for name in _FIELDS}
        return cls(**known)

    def described(self) -> dict[str, Any]:
        """Return the fields as JSON has them: times as RFC 3339."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}


_FIELDS = tuple(each.name for each in fields(Job))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return value
