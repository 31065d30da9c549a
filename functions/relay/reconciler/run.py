"""One run: looks at what is due, at a pace and within a budget.

Jobs whose documents name them come first, each shard's longest due first. Then, where a batch's
name was never learnt or batches are adopted, the list of batches is read.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from relay.errors import GeminiRefused, Unavailable
from relay.gcp.database import SearchableDatabase
from relay.gcp.queries import Found, Query
from relay.jobs import JOBS
from relay.jobs.names import BATCH, SHARDS
from relay.log import log
from relay.reconciler import findings
from relay.reconciler.adoption import Adoption
from relay.reconciler.asking import Answer, Asking
from relay.reconciler.pace import Pace
from relay.reconciler.report import Report
from relay.reconciler.settings import Settings
from relay.reconciler.worker import Job, Worker

_MOST_PAGES = 1000

_PAGE = 20
"""Due jobs read of each shard at a time; their documents are held until they are looked at."""


class Run:
    """A run over the jobs that are due when it begins. `now` returns the time in UTC."""

    def __init__(
        self,
        settings: Settings,
        jobs: SearchableDatabase,
        asking: Asking,
        worker: Worker,
        adoption: Adoption | None,
        now: Callable[[], datetime],
    ) -> None:
        self._jobs = jobs
        self._asking = asking
        self._worker = worker
        self._adoption = adoption
        self._begun = now()
        self._deadline = asyncio.get_running_loop().time() + settings.budget
        self._pace = Pace(settings.per_second)
        # A look takes far less than its limit, so the pace is kept with few of them at a time.
        self._room = asyncio.Semaphore(2 * settings.per_second)
        self._stopped: GeminiRefused | Unavailable | None = None
        self._nameless: dict[str, Job] = {}

    async def __call__(self) -> Report:
        """Look at what is due, and return the account.

        Raises `GeminiRefused` where the key is refused, and `Unavailable` where Firestore or
        Pub/Sub is.
        """
        report = self._worker.report
        due = await self._look_at_due()
        await self._read_list()
        if isinstance(self._stopped, Unavailable):
            raise self._stopped
        if self._stopped is not None:
            if self._stopped.key_refused:
                raise self._stopped
            log("WARNING", "run ended early", reason=self._stopped.reason)
        report.left = due - report.examined
        return report

    async def _look_at_due(self) -> int:
        """Look at the due jobs that have a name, and return how many are due in all."""
        due = 0
        shards = [_due(shard, self._begun) for shard in range(SHARDS)]
        while shards and self._goes_on():
            pages = await asyncio.gather(*map(self._jobs.find, shards))
            found = sorted(itertools.chain.from_iterable(pages), key=_check_at)
            due += len(found)
            queries = zip(shards, pages, strict=True)
            shards = [query.following(page[-1]) for query, page in queries if len(page) == _PAGE]
            jobs = [Job.of(each) for each in found]
            self._nameless.update({job.record.id: job for job in jobs if job.nameless_batch})
            await self._look_at([(job, None) for job in jobs if not job.nameless_batch])
        return due + sum(await asyncio.gather(*map(self._jobs.count, shards)))

    async def _read_list(self) -> None:
        """Look at the due batches without a name by the list of batches, and adopt others."""
        token = ""
        for _ in range(_MOST_PAGES):
            if not self._nameless and self._adoption is None:
                return
            await self._pace.turn()
            if not self._goes_on():
                return
            try:
                entries, token = await self._asking.batches(token)
                await self._look_at(self._named(entries))
                if self._adoption is not None:
                    await self._adoption.adopt(entries)
            except (GeminiRefused, Unavailable) as failure:
                self._stopped = self._stopped or failure
                return
            if not token:
                break
        await self._look_at([(job, None) for job in self._nameless.values()])

    def _named(self, entries: Iterable[Answer]) -> Sequence[tuple[Job, Answer]]:
        """Return the jobs that entries of the list belong to, which need no look without one."""
        matched = []
        for entry in entries:
            job = self._nameless.pop(findings.display_job(entry), None)
            if job is not None and findings.operation_name(BATCH, entry):
                matched.append((job, entry))
        return matched

    async def _look_at(self, jobs: Iterable[tuple[Job, Answer | None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for job, listed in jobs:
                await self._room.acquire()
                await self._pace.turn()
                if not self._goes_on():
                    self._room.release()
                    return
                group.create_task(self._look(job, listed))

    async def _look(self, job: Job, listed: Answer | None) -> None:
        try:
            await self._worker.look(job, listed)
        except (GeminiRefused, Unavailable) as failure:
            self._stopped = self._stopped or failure
        finally:
            self._room.release()

    def _goes_on(self) -> bool:
        return self._stopped is None and asyncio.get_running_loop().time() < self._deadline


def _due(shard: int, now: datetime) -> Query:
    conditions = (("shard", "==", shard), ("check_at", "<=", now))
    return Query(JOBS, conditions, order="check_at", limit=_PAGE)


def _check_at(found: Found) -> datetime:
    check_at: datetime = found.snapshot.fields["check_at"]
    return check_at
