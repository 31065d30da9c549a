"""One look at a job: ask Gemini, announce what was not announced, and record it.

The order makes a death at any step harmless: the names in `job_names`, so that an event which comes
from now on finds the job; the query for events that came before; the publish; and only then the
job's document. Whoever looks again repeats the same id.

https://github.com/googleapis/python-genai/issues/2519: a large inline batch may answer 503 for
ever, so a server's error says nothing of the job.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from relay import ingress
from relay.errors import GeminiRefused, PublishRefused, RelayError
from relay.gcp.database import Database, SearchableDatabase, Write
from relay.gcp.documents import Version
from relay.gcp.publisher import Publisher
from relay.gcp.queries import Found, Query
from relay.gcp.store import Conflict
from relay.jobs import DELIVERIES, JOB_NAMES, JOBS, documents, names, reconciled, states
from relay.jobs.documents import Fields, Record
from relay.log import log
from relay.reconciler import findings
from relay.reconciler.asking import Answer, Asking
from relay.reconciler.findings import Finding
from relay.reconciler.report import Report
from relay.reconciler.settings import LOOK_SECONDS, Settings

_PUBLISH_SECONDS = 10.0
_REPEATS = 5
_FORBIDDEN = 403
# Firestore takes 30 values in one `in`; a video may have many files.
_MOST_SUBJECTS = 30

Change = Callable[[Record], Fields]
"""What to write into a job's document as it is; nothing where no more is to be done."""


class Unlearnt(RelayError):
    """A look taught nothing, or its document is contended; the job is looked at again later."""


@dataclass
class Job:
    """A job's document as last read."""

    record: Record
    version: Version = field(repr=False)

    @classmethod
    def of(cls, found: Found) -> "Job":
        """Return the job that a query has found."""
        return cls(Record.of(found.id, found.snapshot.fields), found.snapshot.version)

    @property
    def nameless_batch(self) -> bool:
        """Whether only the list of batches can tell of the job: its name was never learnt."""
        record = self.record
        nameless = record.kind == names.BATCH and not record.name
        settled = record.state == states.REFUSED or record.announcement(reconciled.END)
        return nameless and not settled


class Worker:
    """Looks at jobs, and counts in `report`. `now` returns the time in UTC.

    Every method may raise `GeminiRefused` where no other look can succeed either (the key is
    refused, or there were too many calls), and `Unavailable` where Firestore or Pub/Sub is.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: Database,
        ledger: SearchableDatabase,
        publisher: Publisher,
        asking: Asking,
        now: Callable[[], datetime],
    ) -> None:
        self.report = Report()
        self._settings = settings
        self._jobs = jobs
        self._ledger = ledger
        self._publisher = publisher
        self._asking = asking
        self._now = now

    async def look(self, job: Job, listed: Answer | None = None) -> None:
        """Look at a due job; `listed` is its entry in the list of batches, for one without name."""
        record = job.record
        try:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look(job, listed)
            except (TimeoutError, Unlearnt) as failure:
                if isinstance(failure, TimeoutError):
                    log("WARNING", "look cut short", job=record.id)
                self.report.failed += 1
                await self._write(job, self._later(record))
            except GeminiRefused as refused:
                if refused.status == _FORBIDDEN:
                    # It may be this job's alone, which must not be the first of every run.
                    await self._write(job, self._later(record))
                raise
        except Unlearnt:
            log("WARNING", "job contended", job=record.id)
        self.report.examined += 1

    async def _look(self, job: Job, listed: Answer | None) -> None:
        record = job.record
        announced = record.announcement(reconciled.END)
        if announced:
            status = record.status or states.event_status(str(announced.get("type", "")))
            await self._write(job, lambda read: self._ended(read, status))
        elif record.state == states.REFUSED:
            await self._write(job, _unasked)
        else:
            await self._consider(job, await self._finding(job, listed), listed)

    async def _finding(self, job: Job, listed: Answer | None) -> Finding | None:
        """Return where the job stands; None where Gemini knows no such job, or we no name."""
        record = job.record
        found = None
        if listed is not None:
            found = findings.read(record.kind, findings.operation_name(record.kind, listed), listed)
        elif record.name and record.kind in names.KINDS:
            found = await self._asked(job)
        if record.state == states.ENDED and (found is None or not found.ends(record.kind)):
            # The library has seen the end; an answer may lag, and a job may be deleted.
            return findings.recorded(record)
        return found

    async def _asked(self, job: Job) -> Finding | None:
        record = job.record
        name = record.name or ""
        try:
            answer = await self._asking.job(record.kind, name)
        except GeminiRefused as refused:
            if refused.key_refused or refused.status == 429:
                raise
            log("WARNING", "nothing learnt of a job", job=record.id, status=refused.status)
            raise Unlearnt from None
        return None if answer is None else findings.read(record.kind, name, answer)

    async def _consider(self, job: Job, found: Finding | None, listed: Answer | None) -> None:
        record = job.record
        learnt: Fields = {}
        if listed is not None:
            learnt = _named(record, listed, self._now())
            # As it will be: the rest depends on its name and its start.
            job.record = replace(record, name=learnt["name"], started_at=learnt["started_at"])
        if found is None or not found.ends(record.kind):
            await self._go_on(job, found, learnt)
        else:
            await self._end(job, found, learnt)

    async def _end(self, job: Job, found: Finding, learnt: Fields) -> None:
        record = job.record
        event_type = f"{record.kind}.{found.status}"
        await self._announce(record, reconciled.END, event_type, found)

        def change(read: Record) -> Fields:
            named = _unless_known(learnt, record, read)
            return {**named, **self._ended(read, found.status, found.error)}

        await self._write(job, change)
        self.report.ended += 1

    async def _go_on(self, job: Job, found: Finding | None, learnt: Fields) -> None:
        """Record that a job has not ended, and whether it is overdue or lost."""
        record, now = job.record, self._now()
        status = found.status if found else ""
        if learnt:
            await self._record_names(record, [learnt["name"]])
        if found is not None and states.is_action(record.kind, f"{record.kind}.{status}"):
            await self._act(record, found)
        if record.state == states.LOST:
            await self._write(job, _unasked)
            return
        data = {"id": record.name or record.id}
        overdue = (
            record.overdue_at is None and record.deadline is not None and record.deadline < now
        )
        if overdue:
            await self._publish(record, reconciled.OVERDUE, states.OVERDUE_TYPE, data)
            self.report.overdue += 1
        lost = self._given_up(record, now, missing=found is None)
        if lost:
            await self._publish(record, reconciled.LOST, states.LOST_TYPE, data)
            self.report.lost += 1

        def change(read: Record) -> Fields:
            if read.final:
                return self._later(record)(read)
            named = _unless_known(learnt, record, read)
            late = documents.overdue(now) if overdue else {}
            if lost:
                return {**named, **late, **documents.lost(read, now)}
            known = replace(read, started_at=read.started_at or record.started_at)
            return {**named, **late, **documents.asked_again(known, now, status=status or None)}

        await self._write(job, change)

    def _given_up(self, record: Record, now: datetime, *, missing: bool) -> bool:
        if record.start is None:
            return False
        limit = self._settings.give_up
        if missing and record.name:
            limit = max(limit, states.NOT_FOUND_GRACE)
        return now - record.start >= limit

    async def _act(self, record: Record, found: Finding) -> None:
        if not record.announcement(reconciled.ACTION):
            event_type = f"{record.kind}.{states.REQUIRES_ACTION}"
            await self._announce(record, reconciled.ACTION, event_type, found)

    async def _announce(self, record: Record, word: str, event_type: str, found: Finding) -> None:
        """Publish an end or an action, unless the ledger of deliveries knows one of the job."""
        await self._record_names(record, [*filter(None, [record.name]), *found.names])
        if await self._delivered(record, word, found.names):
            self.report.absorbed += 1
            return
        await self._publish(record, word, event_type, found.data)
        self.report.announced += 1

    async def _record_names(self, record: Record, learnt: Iterable[str]) -> None:
        ids = dict.fromkeys(names.document_id(record.kind, name) for name in learnt)
        paths = [f"{JOB_NAMES}/{each}" for each in ids]
        for path, known in zip(paths, await self._jobs.read(*paths) if paths else (), strict=True):
            # Somebody else may be recording it at the same time.
            with contextlib.suppress(Conflict):
                if known is None:
                    await self._jobs.commit(Write(path, documents.alias(record.id)))

    async def _delivered(self, record: Record, word: str, learnt: Iterable[str]) -> bool:
        known = [*filter(None, [record.name]), *learnt]
        subjects = [form for name in known for form in names.forms(record.kind, name)]
        if not subjects:
            return False
        wanted = list(dict.fromkeys(subjects))[:_MOST_SUBJECTS]
        query = Query(DELIVERIES, (("subject", "in", wanted),), fields=("type",))
        of_sort = states.is_end if word == reconciled.END else states.is_action
        types = [str(each.snapshot.fields.get("type")) for each in await self._ledger.find(query)]
        return any(of_sort(record.kind, each) for each in types)

    async def _publish(
        self, record: Record, word: str, event_type: str, data: findings.Object
    ) -> None:
        metadata = {**record.metadata}
        if record.token:
            metadata[names.RELAY_JOB] = names.relay_job(record.id, record.token)
        identifier = reconciled.event_id(record.id, word)
        told = {**data, "user_metadata": metadata}
        body, attributes = ingress.message(
            identifier, reconciled.SCHEME, event_type, told, self._now()
        )
        topic = self._settings.ingress_topic
        try:
            await self._publisher.publish(topic, body, attributes, timeout=_PUBLISH_SECONDS)
        except PublishRefused as refused:
            log("ERROR", "publish refused", job=record.id, type=event_type, detail=refused.detail)
            raise Unlearnt from None
        log("NOTICE", "event announced", job=record.id, type=event_type, id=identifier)

    def _ended(self, read: Record, status: str, error: Mapping[str, str] | None = None) -> Fields:
        return documents.ended(read, status, self._now(), announced=True, error=error)

    def _later(self, record: Record) -> Change:
        """Return the change that has a job asked again, unless it has ended since it was read."""

        def change(read: Record) -> Fields:
            if read.final and not record.final:
                return {}
            return documents.asked_again(read, self._now())

        return change

    async def _write(self, job: Job, change: Change) -> None:
        path = f"{JOBS}/{job.record.id}"
        for _ in range(1 + _REPEATS):
            fields = change(job.record)
            if not fields:
                return
            try:
                await self._jobs.commit(Write(path, fields, job.version))
            except Conflict:
                [found] = await self._jobs.read(path)
                if found is None:
                    # Its document has expired or was deleted: nobody waits for it any more.
                    return
                job.record, job.version = Record.of(job.record.id, found.fields), found.version
            else:
                return
        raise Unlearnt


def _unless_known(learnt: Fields, record: Record, read: Record) -> Fields:
    """Return what was learnt of a name, unless somebody else has written one meanwhile."""
    return learnt if read is record or not read.name else {}


def _unasked(_read: Record) -> Fields:
    return {"check_at": None}


def _named(record: Record, listed: Answer, now: datetime) -> Fields:
    """Return the fields of a batch whose name and start are learnt from the list."""
    name = findings.operation_name(record.kind, listed)
    return documents.started(record, name, findings.created(listed) or now)
