"""Finding a job in the ledger and at Gemini, and recording in the ledger what Gemini says."""

from dataclasses import replace
from typing import TYPE_CHECKING

from gemini_relay.clock import Clock
from gemini_relay.errors import ConfigurationError, JobsError, NotFound, StartUnknown, Unavailable
from gemini_relay.gemini import Gemini
from gemini_relay.job import Job
from relay.jobs import documents, names, replies, states
from relay.jobs.documents import Fields, Record
from relay.jobs.replies import Seen

if TYPE_CHECKING:
    # Needs an extra.
    from gemini_relay.ledger import Ledger, Stored

_ATTEMPTS = 5
"""Times that a write is tried where the document has changed since it was read."""


class Superseded(JobsError):
    """A job was started again meanwhile: its document is that of another attempt."""


def kind_of(name: str) -> str:
    """Return the kind of job that a name belongs to, in any form that Gemini writes."""
    if name.startswith(("batches/", "batch_")):
        return names.BATCH
    video = "/operations/" in name or name.startswith("files/")
    return names.VIDEO if video else names.INTERACTION


def updated(job: Job, record: Record) -> Job:
    """Return a job as the ledger has it, and under the name that it has in the caller's hands.

    A start whose name could not be recorded has told it to its caller alone. Another attempt under
    the same id has another `created_at`, and another name.
    """
    found = Job.of(record)
    if record.name is None and job.created_at == record.created_at:
        return replace(found, name=job.name)
    return found


class Lookup:
    """Looks jobs up: in the ledger if there is one, else at Gemini alone."""

    def __init__(self, gemini: Gemini, ledger: "Ledger | None", clock: Clock) -> None:
        self.gemini = gemini
        self.ledger = ledger
        self.clock = clock

    def needed(self, what: str) -> "Ledger":
        """Return the ledger; raises `ConfigurationError` without one."""
        if self.ledger is None:
            raise ConfigurationError(f"{what} needs a ledger: set JOBS_DATABASE")
        return self.ledger

    async def get(self, identifier: str) -> Job:
        """Return a job by its id in the ledger, or by the name that Gemini gave it.

        A name that the ledger does not know is asked for at Gemini. Raises `NotFound`.
        """
        if names.is_id(identifier):
            return Job.of((await self.stored(identifier)).record)
        kind = kind_of(identifier)
        if self.ledger is not None and (known := await self.ledger.named(kind, identifier)):
            return Job.of((await self.stored(known)).record)
        if identifier.startswith("files/"):
            raise NotFound(f"the ledger has no job with the file {identifier}")
        name = names.normal(kind, identifier)
        job = Job(id=name, kind=kind, state=states.RUNNING, name=name)
        return _seen(job, await self.look(kind, name), self.clock)

    async def stored(self, job: str) -> "Stored":
        """Return a job's document. Raises `NotFound`."""
        found = await self.needed(f"the job {job}").read(job)
        if found is None:
            raise NotFound(f"the ledger has no job {job}")
        return found

    async def current(self, job: Job) -> Job:
        """Return a job as the ledger has it; without a ledger, as it is."""
        if self.ledger is None or not names.is_id(job.id):
            return job
        return updated(job, (await self.stored(job.id)).record)

    async def refresh(self, job: Job) -> Job:
        """Ask Gemini about a job, record what it says, and return the job.

        A job that Gemini does not know is left as it is within 24 hours of its start, in which it
        may still appear. Raises `NotFound` after that, `Unavailable` and `Refused`, and without a
        ledger `StartUnknown` for a job that has no name and is no batch.
        """
        if self.ledger is None or not names.is_id(job.id):
            return await self._ask(job)
        stored = await self.stored(job.id)
        known = updated(job, stored.record)
        if stored.record.final:
            return known
        name = known.name or await self._batch_name(stored.record)
        if not name:
            return known
        seen = await self._look(known, name)
        try:
            return await self.record(stored, seen, name)
        except Superseded:
            return await self.current(job)

    async def record(
        self, stored: "Stored", seen: Seen | None, name: str, *, start: bool = False
    ) -> Job:
        """Write a job's name and what was seen of it, in one commit, and return the job.

        `start` says that Gemini has just accepted it. What an event has written meanwhile stays.
        Raises `Superseded` where the document now has another token.
        """
        ledger, token = self.needed("recording"), stored.record.token
        for _ in range(_ATTEMPTS):
            fields = self._fields(stored.record, seen, name, start=start)
            if not fields:
                return Job.of(stored.record)
            known = (name, *(seen.files if seen else ()))
            aliases = [names.document_id(stored.record.kind, each) for each in known]
            if await ledger.write(stored, fields, aliases):
                return Job.of(Record.of(stored.record.id, {**stored.fields, **fields}))
            stored = await self.stored(stored.record.id)
            if stored.record.token != token:
                raise Superseded(f"{stored.record.id} was started again meanwhile, and is another")
        raise Unavailable(f"the document of {stored.record.id} does not stand still")

    async def look(self, kind: str, name: str) -> Seen:
        """Return what Gemini says of a job by its name."""
        return replies.read(kind, await self.gemini.look(kind, name))

    def fresh(self, job: Job) -> bool:
        """Tell whether a job that Gemini does not know may still appear."""
        start = job.started_at or job.created_at
        return start is not None and self.clock.now() - start < states.NOT_FOUND_GRACE

    async def _ask(self, job: Job) -> Job:
        name = job.name or await self._batch_name(Record(job.id, job.kind, job.state))
        if job.ended:
            return job
        if not name:
            if job.kind == names.BATCH:
                return job
            # Neither an event nor Gemini can tell.
            raise StartUnknown(job, "it has no name, and without a ledger no event tells")
        seen = await self._look(job, name)
        return _seen(replace(job, name=name, state=states.RUNNING), seen, self.clock)

    async def _look(self, job: Job, name: str) -> Seen | None:
        try:
            return await self.look(job.kind, name)
        except NotFound:
            if self.fresh(job):
                return None
            raise

    async def _batch_name(self, record: Record) -> str:
        """Return the name of a batch whose start is unknown, by its display name."""
        if record.kind != names.BATCH or record.state != states.STARTING:
            return ""
        found = await self.gemini.batch_named(record.id)
        return str(found.get("name") or "") if found else ""

    def _fields(self, record: Record, seen: Seen | None, name: str, *, start: bool) -> Fields:
        now = self.clock.now()
        fields: Fields = {}
        if start or record.name is None:
            fields = documents.started(record, name, now, status=seen.status if seen else None)
            record = Record.of(record.id, {**_plain(record), **fields})
        if seen is None:
            return fields
        if seen.outcome:
            more = documents.ended(record, seen.status, now, announced=False, error=seen.error)
        else:
            more = documents.running(record, seen.status) if seen.status else {}
        return {**fields, **more}


def _plain(record: Record) -> Fields:
    return {name: getattr(record, name) for name in Record.__dataclass_fields__}


def _seen(job: Job, seen: Seen | None, clock: Clock) -> Job:
    if seen is None:
        return job
    if not seen.outcome:
        return replace(job, status=seen.status or job.status)
    return replace(
        job,
        state=states.ENDED,
        status=seen.status,
        outcome=seen.outcome,
        error=seen.error,
        ended_at=clock.now(),
    )
