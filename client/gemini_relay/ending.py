"""Cancels and deletes jobs. Deleting does not cancel, and a GET may lag behind a cancellation."""

from gemini_relay.errors import (
    JobFailed,
    NotFound,
    Refused,
    StartUnknown,
    Unavailable,
    WaitTimeout,
)
from gemini_relay.failures import METHOD_NOT_FOUND, Failure
from gemini_relay.job import Job
from gemini_relay.lookup import Lookup
from relay.jobs import names, replies

_BAD_REQUEST = 400
_PAUSE, _LONGEST_PAUSE = 0.5, 5.0


class Ender:
    """Ends jobs before their time."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def cancel(self, job: Job, wait: float) -> Job:
        """Cancel a job, and return it once Gemini shows that it has ended.

        One that has ended already is returned as it ended. Raises `NotFound`, `WaitTimeout` after
        `wait` seconds, `StartUnknown`, and `Refused` with the code `METHOD_NOT_FOUND` where Gemini
        cannot cancel this job, or `NOT_CANCELLABLE` for a video.
        """
        job = await self._known(job)
        if job.ended:
            return job
        name = _name(job)
        if job.kind == names.VIDEO:
            raise Refused(0, "NOT_CANCELLABLE", "nothing cancels a video: wait until it ends")
        answer = await self._lookup.gemini.attempt(lambda: self._cancel(job.kind, name))
        if isinstance(answer, Failure):
            if answer.status != _BAD_REQUEST:
                raise answer.error(f"cancel {name}")
            found = await self._lookup.refresh(job)
            if not found.ended:
                raise answer.error(f"cancel {name}")
            return found
        return await self._ended(job, wait)

    async def delete(self, job: Job, wait: float) -> Job:
        """Cancel a job if it runs, and delete it at Gemini; one that is not there is deleted.

        The ledger keeps its document. Returns the job as it was last seen. Raises `Refused` with
        the code `NOT_CANCELLABLE` for a video that runs, and `NotFound` for a job that Gemini does
        not know within 24 hours of its start: it may still appear, and run.
        """
        job = await self._known(job)
        if job.name is None and job.ended:
            return job
        name = _name(job)
        try:
            if not job.ended:
                job = await self._lookup.refresh(job)
            if not job.ended:
                job = await self.cancel(job, wait)
        except NotFound:
            return self._gone(job)
        except WaitTimeout as late:
            job = late.job
        except Refused as refused:
            # An agent's may have no way to be cancelled; it can be deleted all the same.
            if refused.code != METHOD_NOT_FOUND:
                raise
        try:
            await self._lookup.gemini.call(f"delete {name}", lambda: self._delete(job.kind, name))
        except NotFound:
            return self._gone(job)
        return job

    def _gone(self, job: Job) -> Job:
        """Return a job that Gemini answered with 404, unless it may still appear."""
        if not job.ended and self._lookup.fresh(job):
            raise NotFound(
                f"Gemini does not know {job.name} yet, which may appear until 24 hours after its"
                " start, and run: delete it again later"
            )
        return job

    async def _known(self, job: Job) -> Job:
        """Return a job as it is now; a batch whose start is unknown may be found by its name."""
        job = await self._lookup.current(job)
        return job if job.name or job.ended else await self._lookup.refresh(job)

    async def _ended(self, job: Job, wait: float) -> Job:
        clock = self._lookup.clock
        start, pause = clock.monotonic(), _PAUSE
        while True:
            silence: Unavailable | None = None
            try:
                job = await self._lookup.refresh(job)
            except Unavailable as error:
                # The cancellation is accepted, so it is asked for again while there is time.
                silence = error
            if job.ended:
                return job
            if clock.monotonic() - start >= wait:
                raise silence or WaitTimeout(job)
            await clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _cancel(self, kind: str, name: str) -> None:
        sdk = self._lookup.gemini.sdk
        if kind == names.BATCH:
            await sdk.batches.cancel(name=name)
        else:
            await sdk.interactions.cancel(name)

    async def _delete(self, kind: str, name: str) -> None:
        sdk = self._lookup.gemini.sdk
        if kind == names.BATCH:
            await sdk.batches.delete(name=name)
        elif kind == names.INTERACTION:
            await sdk.interactions.delete(name)
        else:
            # An operation cannot be deleted, and is forgotten soon: what remains is its files.
            seen = replies.read(kind, await self._lookup.gemini.look(kind, name))
            for file in seen.files:
                await sdk.files.delete(name=file)


def _name(job: Job) -> str:
    if job.name is None:
        raise JobFailed(job) if job.ended else StartUnknown(job)
    return job.name
