"""A Firestore database whose documents change together: what the ledger of jobs needs.

The store of one collection shares calls between writes that have nothing to do with each other
(`BatchWrite`). Here one call is one commit: all of its writes, or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from google.cloud.firestore_v1.types import CommitRequest

from relay.environment import Environment
from relay.gcp.channels import Connection, OpenChannel, opener
from relay.gcp.documents import Message, Version, change, creation
from relay.gcp.queries import Found, Query, count, run
from relay.gcp.store import (
    CALL_SECONDS,
    CONFLICTS,
    HOST,
    RETRY,
    Conflict,
    Snapshot,
    batch_get,
    make_client,
    routing,
    translated,
)


@dataclass(frozen=True)
class Write:
    """Fields of one document, `COLLECTION/ID`, in a commit.

    The document must be at `version`, and keeps its other fields; without a version it must not
    exist.
    """

    document: str
    fields: Mapping[str, Any]
    version: Version = None


class Database(Protocol):
    """Documents by `COLLECTION/ID`. Every method may raise `LedgerUnavailable`."""

    async def read(self, *documents: str) -> Sequence[Snapshot | None]:
        """Return documents as of now, each None if it does not exist, in one call."""
        ...

    async def commit(self, *writes: Write) -> None:
        """Apply all writes, or raise `Conflict` and apply none."""
        ...


class SearchableDatabase(Database, Protocol):
    """A database that answers queries too. Every method may raise `LedgerUnavailable`."""

    async def find(self, query: Query) -> Sequence[Found]:
        """Return what a query finds."""
        ...

    async def count(self, query: Query) -> int:
        """Return how many documents a query finds, its limit aside."""
        ...


class FirestoreDatabase:
    """The database `projects/…/databases/…`; every call names it.

    A commit that may yet succeed is retried, even if an earlier attempt may have been applied; the
    retry then raises `Conflict`, and whoever reads again finds its own write.

    It may be built before the server forks, and then belongs to one event loop.
    """

    def __init__(self, open_channel: OpenChannel, database: str) -> None:
        self._connection = Connection(open_channel, make_client)
        self._database = database
        self._read = RETRY(self._read_once)
        self._commit = RETRY(self._commit_once)
        self._find = RETRY(self._find_once)
        self._count = RETRY(self._count_once)

    async def read(self, *documents: str) -> Sequence[Snapshot | None]:
        """Return documents as of now, each None if it does not exist, in one call."""
        names = [self._name(document) for document in documents]
        async with translated():
            return await self._read(names)

    async def commit(self, *writes: Write) -> None:
        """Apply all writes, or raise `Conflict` and apply none."""
        messages = [self._message(write) for write in writes]
        async with translated():
            await self._commit(messages)

    async def find(self, query: Query) -> Sequence[Found]:
        """Return what a query finds."""
        async with translated():
            return await self._find(query)

    async def count(self, query: Query) -> int:
        """Return how many documents a query finds, its limit aside."""
        async with translated():
            return await self._count(query)

    async def close(self) -> None:
        """Close the channel; calls in flight fail."""
        await self._connection.close()

    def _name(self, document: str) -> str:
        return f"{self._database}/documents/{document}"

    def _message(self, write: Write) -> Message:
        name = self._name(write.document)
        if write.version is None:
            return creation(name, write.fields)
        return change(name, write.fields, write.version)

    async def _read_once(self, names: Sequence[str]) -> Sequence[Snapshot | None]:
        client = await self._connection.client()
        return await batch_get(client, self._database, names)

    async def _find_once(self, query: Query) -> Sequence[Found]:
        client = await self._connection.client()
        return [found async for found in run(client, self._database, query)]

    async def _count_once(self, query: Query) -> int:
        return await count(await self._connection.client(), self._database, query)

    async def _commit_once(self, writes: Sequence[Message]) -> None:
        request = CommitRequest.pb()(database=self._database, writes=writes)
        client = await self._connection.client()
        try:
            await client.commit(
                CommitRequest.wrap(request),
                retry=None,
                timeout=CALL_SECONDS,
                metadata=routing(self._database),
            )
        except CONFLICTS as error:
            # Of a database that does not exist, too; the read that follows says so.
            raise Conflict(type(error).__name__) from error


def create_database(environ: Mapping[str, str], variable: str) -> FirestoreDatabase:
    """Make the database that a variable names, in Firestore or at `FIRESTORE_EMULATOR_HOST`.

    Safe to call before the server forks: nothing connects until the first call. Raises
    `ConfigurationError`.
    """
    environment = Environment(environ)
    emulator = environment.text("FIRESTORE_EMULATOR_HOST")
    return FirestoreDatabase(opener(HOST, emulator), environment.database(variable))
