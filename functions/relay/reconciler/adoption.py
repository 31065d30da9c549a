"""Following batches that were started without the library."""

from collections.abc import Callable, Iterable
from datetime import datetime

from relay.gcp.database import Database, Write
from relay.gcp.store import Conflict
from relay.jobs import JOB_NAMES, JOBS, documents, names, states
from relay.jobs.names import BATCH
from relay.log import log
from relay.reconciler import findings
from relay.reconciler.asking import Answer


class Adoption:
    """Writes documents for running batches that no document knows. `now` returns UTC."""

    def __init__(self, jobs: Database, now: Callable[[], datetime]) -> None:
        self._jobs = jobs
        self._now = now

    async def adopt(self, entries: Iterable[Answer]) -> None:
        """Adopt what is new on a page of the list of batches; raises `Unavailable`."""
        running = {
            name: entry
            for entry in entries
            if (name := findings.operation_name(BATCH, entry))
            and (status := findings.read(BATCH, name, entry).status)
            and states.outcome(BATCH, status) is None
        }
        # A batch that the library has started may not have its alias yet: its reply is on the way,
        # or was lost. Its display name tells.
        own = {name: findings.display_job(entry) for name, entry in running.items()}
        wanted = [*map(_alias, running), *(f"{JOBS}/{job}" for job in own.values() if job)]
        found = await self._jobs.read(*wanted) if wanted else ()
        known = {path for path, document in zip(wanted, found, strict=True) if document}
        for name, entry in running.items():
            if not known.intersection((_alias(name), f"{JOBS}/{own[name]}")):
                await self._adopt(name, entry)

    async def _adopt(self, name: str, entry: Answer) -> None:
        job = names.adopted_id(name)
        fields = documents.adopted(
            name,
            names.new_token(),
            findings.created(entry) or self._now(),
            status=findings.read(BATCH, name, entry).status,
            target=findings.model(entry),
        )
        try:
            await self._jobs.commit(
                Write(f"{JOBS}/{job}", fields), Write(_alias(name), documents.alias(job))
            )
        except Conflict:
            # Somebody was faster.
            return
        log("NOTICE", "batch adopted", job=job)


def _alias(name: str) -> str:
    return f"{JOB_NAMES}/{names.document_id(BATCH, name)}"
