"""The dispatcher's half of jobs: which job an event is about, and whether another announced it.

An event is matched by its `relay_job`, whose token only whoever started the job knows, or else by
the names that the ledger of jobs has. What is read and written of the job comes between the event's
claim and its fan-out, so that whatever dies in between is repeated with the same decision:

1. Claim the delivery. 2. Write the announcement into the job, on the condition that the job is as
   read. 3. Fan out. 4. Record the delivery as done.

Without a death in between, a job's event takes two calls to read and one to write, an event of no
job one call to read. docs/decisions/0010-jobs-are-announced-once.md has the reasons.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from relay.dispatcher.event import Event
from relay.errors import Unavailable
from relay.gcp.database import Database, Write
from relay.gcp.documents import Version
from relay.gcp.store import Conflict
from relay.jobs import JOB_NAMES, JOBS, announcing, documents, names, states
from relay.jobs.announcing import Verdict
from relay.jobs.documents import Fields, Record
from relay.log import log

# A job is contended by its dispatchers, the reconciler and the application, for moments each.
_REPEATS = 5


@dataclass(frozen=True)
class Settled:
    """The id of an event's job, and who announced the event before; each may be empty."""

    job: str = ""
    absorbed_by: str = ""


@dataclass(frozen=True)
class _Match:
    """An event's job as read; `alias` is the document that the event's name still lacks."""

    record: Record
    version: Version = field(repr=False)
    alias: str = ""


class Jobs:
    """The ledger of jobs, as far as events move it. `now` returns the time in UTC."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def settle(self, event: Event) -> Settled:
        """Find the job of an event that this request has claimed, and move the job forward.

        The same event may come here again after a death, and is told the same. Raises
        `Unavailable` where a retry may help.
        """
        for _ in range(1 + _REPEATS):
            match = await self._match(event)
            if match is None:
                return Settled()
            if "replay" in event.attributes:
                # Wanted again, whatever was announced.
                return Settled(match.record.id)
            record, now = match.record, self._now()
            decision = announcing.decide(record, event.type, event.key, event.scheme, now)
            fields = _fields(record, event, decision, now)
            if not fields or await self._committed(match, fields):
                return Settled(record.id, decision.absorbed_by)
        raise Unavailable("job-contended")

    async def _committed(self, match: _Match, fields: Fields) -> bool:
        job = match.record.id
        writes = [Write(f"{JOBS}/{job}", fields, match.version)]
        if match.alias:
            writes.append(Write(match.alias, documents.alias(job)))
        try:
            await self._database.commit(*writes)
        except Conflict:
            return False
        return True

    async def _match(self, event: Event) -> _Match | None:
        if not event.about.identified:
            return await self._by_name(event)
        match = await self._by_identity(event)
        if match is None:
            # Whoever sent it names a job that is not theirs, or that is gone. What they sent for
            # an identity is not ours to log.
            log("WARNING", "no job matches the event", id=event.id, type=event.type)
        return match

    async def _by_identity(self, event: Event) -> _Match | None:
        if event.about.identity is None:
            return None
        job, token = event.about.identity
        alias = _alias(event)
        found, *known = await self._database.read(f"{JOBS}/{job}", *alias)
        if found is None:
            return None
        record = Record.of(job, found.fields)
        if not names.same_token(record.token, token) or _contradicts(record, event):
            return None
        learnt = alias[0] if known == [None] and event.about.kind == record.kind else ""
        return _Match(record, found.version, learnt)

    async def _by_name(self, event: Event) -> _Match | None:
        for alias in _alias(event):
            [named] = await self._database.read(alias)
            job = documents.alias_job(named.fields) if named else ""
            [found] = await self._database.read(f"{JOBS}/{job}") if job else [None]
            if found is not None:
                return _Match(Record.of(job, found.fields), found.version)
        return None


def _alias(event: Event) -> Sequence[str]:
    """Return the path of the document that knows a job by the event's name, if it has one."""
    kind, name = event.about.kind, event.about.name
    return [f"{JOB_NAMES}/{names.document_id(kind, name)}"] if kind and name else []


def _contradicts(record: Record, event: Event) -> bool:
    about = event.about
    return bool(
        record.name
        and about.name
        and about.kind == record.kind
        and names.contradict(record.kind, record.name, about.name)
    )


def _fields(record: Record, event: Event, decision: announcing.Decision, now: datetime) -> Fields:
    """Return all that an event writes into its job; a job only moves forward."""
    if decision.verdict is not Verdict.FAN_OUT:
        return decision.fields
    status = states.event_status(event.type)
    if states.is_end(record.kind, event.type):
        moved = documents.ended(record, status, now, announced=True, error=event.about.error)
    else:
        moved = documents.running(record, status)
    named = {} if record.name or not event.about.name else _named(event)
    return {**named, **moved, **decision.fields}


def _named(event: Event) -> Fields:
    # The reply to the job's creation was lost; the event has the name that it held.
    return {"name": names.normal(event.about.kind, event.about.name)}
