"""The ledger of jobs: documents in Firestore, through google-cloud-firestore's own client.

Every write is one atomic commit with preconditions, and none needs a transaction.
"""

import asyncio
import heapq
import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gemini_relay.errors import ConfigurationError, Unavailable
from gemini_relay.settings import Settings
from relay.jobs import JOB_NAMES, JOBS, names
from relay.jobs.documents import Fields, Record, alias, alias_job

try:
    from google.api_core import exceptions
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.firestore import AsyncClient, FieldFilter, Query
except ImportError as missing:
    raise ConfigurationError(
        "JOBS_DATABASE needs the extra `ledger`: pip install 'gemini-relay[ledger]'"
    ) from missing

_SECONDS = 15.0
_MOST_IN_A_READ = 100
_MOST_SCANNED = 10_000
_NO_DATABASE = re.compile(r"\bdatabase\b.* does not exist", re.IGNORECASE)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
# Of a write with preconditions; contention (`Aborted`) is settled by reading again, too.
_EXISTS = (exceptions.AlreadyExists,)
_CHANGED = (exceptions.FailedPrecondition, exceptions.NotFound, exceptions.Aborted)
_REFUSALS = (
    exceptions.FailedPrecondition,
    exceptions.InvalidArgument,
    exceptions.NotFound,
    exceptions.PermissionDenied,
    exceptions.Unauthenticated,
)


@dataclass(frozen=True)
class Stored:
    """A job's document as read, and its version for the precondition of the next write."""

    fields: Mapping[str, Any]
    record: Record
    version: Any


class Ledger:
    """The jobs of one database. It belongs to the event loop that makes it.

    Every method raises `Unavailable`, and `ConfigurationError` where Firestore refuses.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            self._client = _client(settings)
        except GoogleAuthError as error:
            raise _no_credentials(error) from error

    async def close(self) -> None:
        """Close the connection."""
        api = self._client._firestore_api  # noqa: SLF001 - the client has no call for it
        await api.transport.close()

    async def create(self, job: str, fields: Fields) -> Stored | None:
        """Write the document of a new job; None where there is one already."""
        return await self._commit_one(job, fields, None, ())

    async def write(self, stored: Stored, fields: Fields, aliases: Iterable[str] = ()) -> bool:
        """Write fields of a job as read, and its names, all or nothing.

        Returns False where the document has changed since.
        """
        names_of_it = tuple(aliases)
        if not fields and not names_of_it:
            return True
        written = await self._commit_one(stored.record.id, fields, stored, names_of_it)
        return written is not None

    async def read(self, job: str) -> Stored | None:
        """Return a job's document as of now, or None."""
        return (await self.read_many([job])).get(job)

    async def read_many(self, jobs: Sequence[str]) -> dict[str, Stored]:
        """Return the documents that exist, by the job's id; one call for a hundred."""
        found: dict[str, Stored] = {}
        for start in range(0, len(jobs), _MOST_IN_A_READ):
            part = jobs[start : start + _MOST_IN_A_READ]
            references = [self._client.document(JOBS, job) for job in part]
            async with _translated():
                async for snapshot in self._client.get_all(references, timeout=_SECONDS):
                    if snapshot.exists:
                        found[snapshot.id] = _stored(snapshot)
        return found

    async def named(self, kind: str, name: str) -> str:
        """Return the id of the job that a name leads to, or the empty string."""
        reference = self._client.document(JOB_NAMES, names.document_id(kind, name))
        async with _translated():
            snapshot = await reference.get(timeout=_SECONDS)
        return alias_job(snapshot.to_dict() or {}) if snapshot.exists else ""

    async def newest(self, state: str, kind: str, limit: int) -> list[Stored]:
        """Return up to `limit` jobs, the newest first, of a state and a kind where they are given.

        Only the newest 10,000 jobs are looked at, since each read is billed. The sixteen shards are
        read side by side from the index on `shard` and `created_at`.
        """
        page = min(_MOST_IN_A_READ, max(4, math.ceil(2 * limit / names.SHARDS)))
        shards = [self._shard(number, page) for number in range(names.SHARDS)]
        firsts = await asyncio.gather(*(anext(shard, None) for shard in shards))
        heap = [(_age(first), number, first) for number, first in enumerate(firsts) if first]
        heapq.heapify(heap)
        found: list[Stored] = []
        scanned = 0
        while heap and len(found) < limit and scanned < _MOST_SCANNED:
            _, number, stored = heapq.heappop(heap)
            scanned += 1
            if state in {"", stored.record.state} and kind in {"", stored.record.kind}:
                found.append(stored)
            if following := await anext(shards[number], None):
                heapq.heappush(heap, (_age(following), number, following))
        return found

    async def _shard(self, number: int, page: int) -> AsyncGenerator[Stored, None]:
        query = (
            self._client.collection(JOBS)
            .where(filter=FieldFilter("shard", "==", number))
            .order_by("created_at", direction=Query.DESCENDING)
            .limit(page)
        )
        while True:
            async with _translated():
                snapshots = await query.get(timeout=_SECONDS)
            for snapshot in snapshots:
                yield _stored(snapshot)
            if len(snapshots) < page:
                return
            query = query.start_after(snapshots[-1])

    async def _commit(self, batch: Any, conflicts: tuple[type[Exception], ...]) -> Any:
        try:
            return await batch.commit(timeout=_SECONDS)
        except conflicts as error:
            if _NO_DATABASE.search(str(error)):
                raise
            raise _Conflict from error

    async def _commit_one(
        self, job: str, fields: Fields, stored: Stored | None, aliases: Iterable[str]
    ) -> Stored | None:
        reference = self._client.document(JOBS, job)
        batch = self._client.batch()
        if stored is None:
            batch.create(reference, fields)
        else:
            condition = self._client.write_option(last_update_time=stored.version)
            batch.update(reference, fields or {"kind": stored.record.kind}, option=condition)
        for name in aliases:
            batch.set(self._client.document(JOB_NAMES, name), alias(job))
        try:
            async with _translated():
                results = await self._commit(batch, _EXISTS if stored is None else _CHANGED)
        except _Conflict:
            return None
        whole = {**(stored.fields if stored else {}), **fields}
        return Stored(whole, Record.of(job, whole), results[0].update_time)


class _Conflict(Exception):
    """A precondition did not hold."""


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except _REFUSALS as error:
        # No such database, no right, a missing index.
        raise ConfigurationError(f"Firestore refuses: {error.message}") from error
    except GoogleAuthError as error:
        raise _no_credentials(error) from error
    except (exceptions.GoogleAPIError, TimeoutError) as error:
        raise Unavailable(f"the ledger does not answer ({type(error).__name__})") from error


def _no_credentials(error: Exception) -> ConfigurationError:
    return ConfigurationError(f"no Google credentials for the ledger: {error}")


def _client(settings: Settings) -> AsyncClient:
    emulated = AnonymousCredentials() if settings.emulator else None
    client = AsyncClient(project=settings.project, database=settings.database, credentials=emulated)
    # The client has no argument for it, and reads the process's environment, which may differ.
    client._emulator_host = settings.emulator or None  # noqa: SLF001
    return client


def _stored(snapshot: Any) -> Stored:
    fields = snapshot.to_dict() or {}
    return Stored(fields, Record.of(snapshot.id, fields), snapshot.update_time)


def _age(stored: Stored) -> float:
    return -(stored.record.created_at or _LONG_AGO).timestamp()
