"""The library for code that blocks: `AsyncJobs`, run in a thread of its own."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from gemini_relay.asynchronous import AsyncJobs, Deadline
from gemini_relay.background import BackgroundLoop
from gemini_relay.clock import Clock
from gemini_relay.job import Job
from gemini_relay.settings import Settings
from gemini_relay.waiting import Until


class Jobs:
    """Starts jobs at Gemini, and follows them; `AsyncJobs` says what each method does and raises.

    Any number of threads may use one, also a thread whose own event loop runs. Use it in a `with`
    block, or call `close`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._loop = BackgroundLoop()
        self._jobs = AsyncJobs(settings, transport=transport, clock=clock)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Make it as the environment says; see `AsyncJobs.from_environ`."""
        return cls(Settings.of(os.environ if environ is None else environ))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, and end the thread. Jobs go on."""
        if not self._loop.closed:
            self._loop.run(self._jobs.close())
            self._loop.close()

    def interaction(
        self,
        *,
        input: Any,  # noqa: A002 - the SDK's word
        model: str | None = None,
        agent: str | None = None,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **sdk: Any,
    ) -> Job:
        """Start an interaction in the background, once under `key`, and return it at once."""
        work = self._jobs.interaction(
            input=input,
            model=model,
            agent=agent,
            key=key,
            metadata=metadata,
            deadline=deadline,
            **sdk,
        )
        return self._loop.run(work)

    def batch(
        self,
        *,
        model: str,
        src: Any,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **config: Any,
    ) -> Job:
        """Start a batch from a file (`files/…`) or a list of requests, once under `key`."""
        work = self._jobs.batch(
            model=model, src=src, key=key, metadata=metadata, deadline=deadline, **config
        )
        return self._loop.run(work)

    def video(
        self,
        *,
        model: str,
        prompt: str | None = None,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **config: Any,
    ) -> Job:
        """Start a video's generation over REST, once under `key`."""
        work = self._jobs.video(
            model=model, prompt=prompt, key=key, metadata=metadata, deadline=deadline, **config
        )
        return self._loop.run(work)

    def get(self, id: str) -> Job:  # noqa: A002 - the API's word
        """Return a job by its id, or by the name that Gemini gave it."""
        return self._loop.run(self._jobs.get(id))

    def list(self, *, state: str = "", kind: str = "", limit: int = 50) -> Sequence[Job]:
        """Return up to `limit` of the newest 10,000 jobs in the ledger, the newest first."""
        return self._loop.run(self._jobs.list(state=state, kind=kind, limit=limit))

    def refresh(self, job: Job) -> Job:
        """Ask Gemini about a job, record what it says, and return the job."""
        return self._loop.run(self._jobs.refresh(job))

    def restart(self, job: Job) -> Job:
        """Start a job again whose start is unknown or was refused, or free its key."""
        return self._loop.run(self._jobs.restart(job))

    def wait(self, job: Job, *, timeout: float | None = None, until: Until = "end") -> Job:
        """Return a job once it has ended, or with `until="action"` waits for an answer."""
        return self._loop.run(self._jobs.wait(job, timeout=timeout, until=until))

    def wait_many(
        self, jobs: Iterable[Job], *, timeout: float | None = None, until: Until = "end"
    ) -> Sequence[Job]:
        """Wait for all of the jobs, and return them in the same order."""
        # Here, since what makes the jobs may call us.
        known = [*jobs]
        return self._loop.run(self._jobs.wait_many(known, timeout=timeout, until=until))

    def stream(self, job: Job, *, after: str | None = None, idle: float = 120.0) -> Iterator[Any]:
        """Yield the SDK's events of an interaction, over all cuts, until it has ended."""
        return self._loop.iterate(self._jobs.stream(job, after=after, idle=idle))

    def pending(self, job: Job) -> Sequence[Any]:
        """Return the `function_call` steps of an interaction that have no result yet."""
        return self._loop.run(self._jobs.pending(job))

    def answer(
        self,
        job: Job,
        values: Mapping[str, Any] | str,
        *,
        wait: float | None = None,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **sdk: Any,
    ) -> Job:
        """Answer an interaction that requires action, and return the one that goes on from it."""
        work = self._jobs.answer(
            job, values, wait=wait, key=key, metadata=metadata, deadline=deadline, **sdk
        )
        return self._loop.run(work)

    def follow_up(
        self,
        job: Job,
        *,
        input: Any,  # noqa: A002 - the SDK's word
        wait: float | None = None,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **sdk: Any,
    ) -> Job:
        """Start an interaction that goes on from one that has succeeded."""
        work = self._jobs.follow_up(
            job, input=input, wait=wait, key=key, metadata=metadata, deadline=deadline, **sdk
        )
        return self._loop.run(work)

    def cancel(self, job: Job, *, wait: float = 60.0) -> Job:
        """Cancel an interaction or a batch, and return it once it has ended."""
        return self._loop.run(self._jobs.cancel(job, wait=wait))

    def delete(self, job: Job, *, wait: float = 60.0) -> Job:
        """Cancel a job if it runs, then delete it at Gemini."""
        return self._loop.run(self._jobs.delete(job, wait=wait))

    def result(self, job: Job) -> Any:
        """Return the SDK's object of a job that has succeeded."""
        return self._loop.run(self._jobs.result(job))

    def download(self, job: Job, directory: str | Path) -> Sequence[Path]:
        """Stream the result of a job that has succeeded into files, and return their paths."""
        return self._loop.run(self._jobs.download(job, directory))
