"""Starts a job once under its key: the document first, then one POST, then its name.

| what Gemini answers | the job | what is raised |
|---|---|---|
| 2xx with a name | `running` | |
| 4xx but 408 and 429 | `refused`, and its key may start another request | `Refused` |
| 429 | `refused`, and its key may start again | `Unavailable` |
| nothing, 5xx, 408, a 200 without a name | stays `starting` | `StartUnknown` |

A document that stays `starting` posts nothing again until an event, a batch's display name or
`restart` settles it. `restart` posts again where this process still has the request, else it takes
the fingerprint away: who comes next with the key may post. Each attempt has a token of its own.

While a POST may be under way elsewhere, nobody can know its outcome: a start under its key waits
for that, and `restart` refuses.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from gemini_relay.errors import (
    ConfigurationError,
    JobsError,
    KeyTaken,
    Refused,
    StartUnknown,
    Unavailable,
)
from gemini_relay.failures import Failure
from gemini_relay.gemini import POST_SECONDS
from gemini_relay.job import Job
from gemini_relay.lookup import Lookup, Superseded
from relay.jobs import documents, names, states
from relay.jobs.documents import Fields, Record
from relay.jobs.replies import Seen

if TYPE_CHECKING:
    from gemini_relay.ledger import Stored

RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
_OVERLOADED = 429
_ANSWERED = "Gemini answered "
_REMEMBERED = 100
_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


@dataclass(frozen=True)
class Accepted:
    """What Gemini answered to a POST: the job's name, empty where the reply has none."""

    name: str
    status: str = ""


Post = Callable[[str, Mapping[str, str]], Awaitable[Accepted]]
"""Posts a request under a job's id, with the metadata that its events will bear."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A job to start. A start calls `post` once, and so does each `restart` that has the draft."""

    kind: str
    target: str
    post: Post
    metadata: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    fingerprint: str | None = None
    previous: str | None = None
    deadline: datetime | None = None


class Starter:
    """Starts jobs."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._unsettled: dict[str, Draft] = {}
        """By token, the requests of starts that failed here, for `restart`: the ledger has none."""

    async def start(self, draft: Draft) -> Job:
        """Start a job, or return the one that was started under the same key.

        Raises `Refused`, `Unavailable`, `StartUnknown` and `KeyTaken`.
        """
        if self._lookup.ledger is None:
            return await self._start_unrecorded(draft)
        job = names.random_id() if draft.key is None else names.key_id(draft.key)
        stored = await self._created(job, draft)
        while stored is None:
            found = await self._lookup.stored(job)
            if _free(found.record, draft.fingerprint):
                stored = await self._claim(found, draft)
            elif (known := await self._known(found, draft)) is not None:
                return known
        return await self._post(stored, draft)

    async def restart(self, job: Job) -> Job:
        """Start a job again that is not known to have been started; see `AsyncJobs.restart`."""
        ledger = self._lookup.needed("restart")
        if (found := await self._lookup.refresh(job)).name and job.name is None:
            # A batch that was started after all: its display name tells.
            return found
        while True:
            stored = await self._lookup.stored(job.id)
            record = stored.record
            self._check_restart(job, record)
            if (draft := self._unsettled.get(record.token)) is not None:
                if (claimed := await self._claim(stored, draft)) is not None:
                    self._unsettled.pop(record.token, None)
                    return await self._post(claimed, draft)
            elif record.fingerprint is None or await ledger.write(stored, {"fingerprint": None}):
                return replace(Job.of(record), fingerprint=None)

    def _check_restart(self, job: Job, record: Record) -> None:
        """Raise for a job that must not be restarted, or not yet."""
        if record.name or record.state not in _RESTARTABLE:
            raise JobsError(f"{job.id} was started: it is {record.state} as {record.name}")
        if job.created_at not in (None, record.created_at):
            raise JobsError(
                f"{job.id} was started again at {record.created_at}: get it anew, and restart that"
            )
        if record.state == states.STARTING and (left := self._under_way(record)) > 0:
            raise StartUnknown(
                Job.of(record), f"its POST may still be under way; restart it in {left:.0f} s"
            )

    def _under_way(self, record: Record) -> float:
        """Return the seconds for which the POST of a start may still be under way."""
        if record.created_at is None or record.token in self._unsettled:
            return 0.0
        age = self._lookup.clock.now() - record.created_at
        return POST_SECONDS - age.total_seconds()

    async def _created(self, job: str, draft: Draft) -> "Stored | None":
        """Write the document of a new job; None where another has the key."""
        ledger = self._lookup.needed("a start")
        fields = self._document(draft, job)
        try:
            stored = await ledger.create(job, fields)
        except Unavailable:
            # It may have been written, and would then block its own key: the token tells.
            stored = await ledger.create(job, fields)
        return stored or await self._own(job, fields)

    async def _own(self, job: str, fields: Fields) -> "Stored | None":
        """Return a document that has our token.

        Firestore may have applied a write whose reply was lost; its client then wrote again, and
        was told of a conflict.
        """
        stored = await self._lookup.stored(job)
        return stored if stored.record.token == fields["token"] else None

    def _document(self, draft: Draft, job: str) -> Fields:
        return documents.starting(
            job,
            draft.kind,
            names.new_token(),
            self._lookup.clock.now(),
            key=draft.key,
            fingerprint=draft.fingerprint,
            target=draft.target,
            metadata=draft.metadata,
            previous=draft.previous,
            deadline=draft.deadline,
        )

    async def _claim(self, found: "Stored", draft: Draft) -> "Stored | None":
        """Take a key over that may start again; None where another was quicker."""
        job = found.record.id
        fields = self._document(draft, job)
        fresh = {**dict.fromkeys(_CLEARED), **fields}
        # What the dispatcher has announced is its own.
        fresh.pop("announced", None)
        ledger = self._lookup.needed("a key")
        try:
            await ledger.write(found, fresh)
        except Unavailable:
            # As where a document is created.
            await ledger.write(found, fresh)
        return await self._own(job, fields)

    async def _known(self, found: "Stored", draft: Draft) -> Job | None:
        """Return the job that the key has started already; None where its document has changed."""
        job = Job.of(found.record)
        if job.fingerprint is not None and job.fingerprint != draft.fingerprint:
            raise KeyTaken(job)
        if job.state == states.REFUSED:
            raise _refused_before(job)
        if job.state != states.STARTING:
            return job
        if await self._named(job) or await self._moved(found.record) or await self._named(job):
            return None
        raise StartUnknown(job)

    async def _named(self, job: Job) -> bool:
        """Look for a batch by its display name; raises `StartUnknown` where Gemini is silent."""
        try:
            return (await self._lookup.refresh(job)).state != states.STARTING
        except Unavailable as error:
            raise StartUnknown(job, str(error)) from error

    async def _moved(self, record: Record) -> bool:
        """Wait while a POST may be under way, and tell whether the document has changed."""
        pause = _PAUSE
        while (left := self._under_way(record)) > 0:
            await self._lookup.clock.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE)
            # Read again at the next turn.
            with contextlib.suppress(Unavailable):
                now = (await self._lookup.stored(record.id)).record
                if (now.state, now.token, now.fingerprint) != (
                    record.state,
                    record.token,
                    record.fingerprint,
                ):
                    return True
        return False

    async def _post(self, stored: "Stored", draft: Draft) -> Job:
        record = stored.record
        metadata = {**draft.metadata, names.RELAY_JOB: names.relay_job(record.id, record.token)}
        answer = await self._lookup.gemini.attempt(lambda: draft.post(record.id, metadata))
        if isinstance(answer, Failure):
            self._remember(record.token, draft)
            raise await self._failed(stored, answer)
        if not answer.name:
            self._remember(record.token, draft)
            raise StartUnknown(Job.of(record), "the reply has no name")
        seen = Seen(answer.status, states.outcome(draft.kind, answer.status))
        running = replace(Job.of(record), name=answer.name, state=states.RUNNING)
        try:
            return await self._lookup.record(stored, seen, answer.name, start=True)
        except Superseded as error:
            # Two jobs now: the document is that of the other.
            raise StartUnknown(replace(running, id=answer.name), str(error)) from error
        except JobsError as error:
            # The ledger learns of it by its event, or where the caller has the job refreshed.
            raise StartUnknown(running, str(error)) from error

    def _remember(self, token: str, draft: Draft) -> None:
        self._unsettled[token] = draft
        while len(self._unsettled) > _REMEMBERED:
            del self._unsettled[next(iter(self._unsettled))]

    async def _failed(self, stored: "Stored", failure: Failure) -> JobsError:
        job = Job.of(stored.record)
        if failure.unknown:
            return StartUnknown(job, failure.message)
        # Google's message may quote the request, so the ledger gets the code alone.
        code = RESOURCE_EXHAUSTED if failure.status == _OVERLOADED else failure.code
        error = {"code": code, "message": f"{_ANSWERED}{failure.status}"}
        now = self._lookup.clock.now()
        fields = documents.refused(stored.record, error, now)
        raised = _error(failure)
        try:
            # An event that came first has more to say.
            await self._lookup.needed("recording").write(stored, fields)
        except (Unavailable, ConfigurationError) as unrecorded:
            raised.__cause__ = unrecorded
        return raised

    async def _start_unrecorded(self, draft: Draft) -> Job:
        if draft.key is not None:
            raise ConfigurationError("key needs a ledger: set JOBS_DATABASE")
        now, identifier = self._lookup.clock.now(), names.random_id()
        job = Job(
            id=identifier,
            kind=draft.kind,
            state=states.STARTING,
            target=draft.target,
            metadata=draft.metadata,
            previous=draft.previous,
            created_at=now,
            deadline=draft.deadline,
        )
        answer = await self._lookup.gemini.attempt(lambda: draft.post(identifier, draft.metadata))
        if isinstance(answer, Failure):
            raise StartUnknown(job, answer.message) if answer.unknown else _error(answer)
        if not answer.name:
            raise StartUnknown(job, "the reply has no name")
        outcome = states.outcome(draft.kind, answer.status)
        return replace(
            job,
            id=answer.name,
            name=answer.name,
            state=states.ENDED if outcome else states.RUNNING,
            status=answer.status or None,
            outcome=outcome,
            started_at=now,
            ended_at=now if outcome else None,
        )


_RESTARTABLE = frozenset({states.STARTING, states.REFUSED, states.LOST})
_CLEARED = tuple(
    name
    for name in Record.__dataclass_fields__
    if name not in {"id", "kind", "key", "announced", "metadata"}
)


def _free(record: Record, fingerprint: str | None) -> bool:
    """Tell whether a key may start a request: where it was restarted, or nothing was started.

    What Gemini has refused it refuses again, unless that was by 429, or the request is another.
    """
    if record.name is not None:
        return False
    if record.state == states.REFUSED and fingerprint != record.fingerprint:
        return True
    overloaded = record.error is not None and record.error.get("code") == RESOURCE_EXHAUSTED
    restarted = record.fingerprint is None and record.state in _RESTARTABLE
    return restarted or (record.state == states.REFUSED and overloaded)


def _error(failure: Failure) -> JobsError:
    if failure.status == _OVERLOADED:
        return Unavailable(f"start: Gemini answered 429: {failure.message}", _OVERLOADED)
    text = f"start: Gemini answered {failure.status} {failure.code}: {failure.message}"
    return Refused(failure.status or 0, failure.code, text)


def _refused_before(job: Job) -> Refused:
    error = job.error or {}
    said = str(error.get("message", "")).removeprefix(_ANSWERED)
    status, code = int(said) if said.isdigit() else 0, str(error.get("code", ""))
    text = f"Gemini refused {job.id} with {status} {code} before, and nothing was posted now"
    return Refused(status, code, f"{text}: correct the request, or restart {job.id}")
