"""The library's one tree of errors. None holds the API key: not its text, `args` or context."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_relay.job import Job


class JobsError(Exception):
    """Base of every error that the library raises on purpose."""


class ConfigurationError(JobsError):
    """The environment, or the way the library is installed, does not allow what was asked."""


class Refused(JobsError):
    """Gemini refuses the call: the same again cannot succeed.

    `status` is the HTTP status, `code` Google's word for it, for example `INVALID_ARGUMENT`.
    """

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or f"Gemini answered {status} {code}")
        self.status = status
        self.code = code


class NotFound(JobsError):
    """There is no such job, or Gemini keeps it no longer."""


class Unavailable(JobsError):
    """Gemini or the ledger gave no usable answer, and nothing was started: try again later.

    `status` is the HTTP status if there was one, for example 429.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class KeyTaken(JobsError):
    """Another request has this key; `job` is what it has started, or may have.

    One that Gemini has refused holds no key.
    """

    def __init__(self, job: "Job") -> None:
        super().__init__(
            f"another request has the key {job.key!r}: {job.id}, which is {job.state}; use another"
            " key, or the same request"
        )
        self.job = job


class StartUnknown(JobsError):
    """Whether Gemini started the job cannot be known; with the same key nothing is posted again.

    `job` becomes `running` or `ended` when an event or, for a batch, its display name tells.
    `Jobs.restart(job)` frees the key, for the price of perhaps two jobs. Where `job` has a name, it
    runs, and the ledger alone does not know: `Jobs.refresh(job)` records it.
    """

    def __init__(self, job: "Job", why: str = "") -> None:
        text = f"it is not known whether Gemini has started {job.id}"
        if job.name:
            text = f"Gemini has started {job.name}, and the ledger does not have it"
        super().__init__(f"{text}: {why}" if why else text)
        self.job = job


class WaitTimeout(JobsError):
    """The time is up, and the job goes on. `job` is its newest state, `jobs` that of all."""

    def __init__(self, job: "Job", jobs: "Sequence[Job]" = ()) -> None:
        super().__init__(f"{job.id} has not ended: {job.status or job.state}")
        self.job = job
        self.jobs = tuple(jobs) or (job,)


class JobFailed(JobsError):
    """The job has ended, and not by success: `job.outcome` and `job.error` say how."""

    def __init__(self, job: "Job") -> None:
        code = job.error.get("code") if job.error else None
        ending = job.outcome or job.status or job.state
        super().__init__(f"{job.id} ended: {ending}" + (f" ({code})" if code else ""))
        self.job = job
