"""Documents with preconditions: the slice of Firestore that a lease needs."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import grpc.aio
from google.api_core import exceptions
from google.api_core.retry import AsyncRetry, if_exception_type
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.cloud.firestore_v1.types import (
    BatchGetDocumentsResponse,
    BatchWriteRequest,
    BatchWriteResponse,
)

from relay.environment import Environment
from relay.errors import RelayError, Unavailable
from relay.gcp.batches import BatchQueue, Limits, fail
from relay.gcp.channels import Connection, OpenChannel, opener
from relay.gcp.documents import Message, Version, change, creation, read_fields

HOST = "firestore.googleapis.com"

# Seconds for one read or write, retries included. A write is retried even if an earlier attempt may
# have been applied: the ledger tells by the owner whether it was.
CALL_SECONDS = 5.0
RETRY = AsyncRetry(
    predicate=if_exception_type(
        exceptions.Aborted,
        exceptions.InternalServerError,
        exceptions.ResourceExhausted,
        exceptions.ServiceUnavailable,
    ),
    initial=0.1,
    maximum=1.0,
    timeout=CALL_SECONDS,
)

LIMITS = Limits(entries=20, calls=16)
"""As many writes in a call as the library's own BulkWriter sends, and so many calls in flight that
a slow one, for a contended document, delays only writes in the same batch."""

# Of a single write. A whole BatchWrite refused with one of these found no such database.
CONFLICTS = (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound)


class Conflict(RelayError):
    """A precondition did not hold; or it did, and the reply to the first attempt was lost."""


class LedgerUnavailable(Unavailable):
    """Firestore did not answer, or refused for a reason that is not a precondition."""


@dataclass(frozen=True)
class Snapshot:
    """A document as read."""

    fields: Mapping[str, Any]
    version: Version


class Store(Protocol):
    """Where a ledger keeps its documents. Every method may raise `LedgerUnavailable`."""

    async def create(self, document: str, fields: Mapping[str, Any]) -> Version:
        """Write a document that must not exist, else raise `Conflict`; return its version."""
        ...

    async def read(self, document: str) -> Snapshot | None:
        """Return the document as of now, or None where there is none."""
        ...

    async def update(self, document: str, fields: Mapping[str, Any], version: Version) -> Version:
        """Write fields of a document that must be at `version`, else raise `Conflict`.

        Returns its new version.
        """
        ...


@dataclass(eq=False, slots=True)
class _Entry:
    """A write to send; its result is the document's new version."""

    write: Message
    result: asyncio.Future[Version]

    @property
    def size(self) -> int:
        return int(self.write.ByteSize())

    @property
    def document(self) -> str:
        return str(self.write.update.name)


class FirestoreStore:
    """A collection in Firestore, in the database `projects/…/databases/…`.

    Writes that arrive together share a call (`BatchWrite`) that applies or refuses each on its own;
    one that may yet succeed is retried on its own. The queue is bounded by the number of requests
    that the server admits.

    It may be built before the server forks, and then belongs to one event loop.
    """

    def __init__(
        self,
        open_channel: OpenChannel,
        database: str,
        collection: str,
        limits: Limits = LIMITS,
    ) -> None:
        self._connection = Connection(open_channel, make_client)
        self._database = database
        self._collection = f"{database}/documents/{collection}"
        self._queue = BatchQueue(limits, self._deliver)
        self._write = RETRY(self._write_once)
        self._read = RETRY(self._read_once)

    async def create(self, document: str, fields: Mapping[str, Any]) -> Version:
        """Write a document that must not exist, else raise `Conflict`; return its version."""
        write = creation(self._name(document), fields)
        async with translated():
            return await self._write(write)

    async def read(self, document: str) -> Snapshot | None:
        """Return the document as of now, or None where there is none."""
        async with translated():
            return await self._read(self._name(document))

    async def update(self, document: str, fields: Mapping[str, Any], version: Version) -> Version:
        """Write fields of a document that must be at `version`, else raise `Conflict`."""
        write = change(self._name(document), fields, version)
        async with translated():
            return await self._write(write)

    async def close(self) -> None:
        """Close the channel; calls in flight fail."""
        await self._connection.close()

    def _name(self, document: str) -> str:
        return f"{self._collection}/{document}"

    async def _write_once(self, write: Message) -> Version:
        entry = _Entry(write, asyncio.get_running_loop().create_future())
        self._queue.put(entry)
        return await entry.result

    async def _read_once(self, name: str) -> Snapshot | None:
        client = await self._connection.client()
        return (await batch_get(client, self._database, [name]))[0]

    async def _deliver(self, batch: Sequence[_Entry]) -> None:
        try:
            await asyncio.gather(*map(self._call, _apart(batch)))
        finally:
            # Whatever became of the calls, no result may stay pending.
            fail(batch, partial(exceptions.Cancelled, "the call was cancelled"))

    async def _call(self, batch: Sequence[_Entry]) -> None:
        request = BatchWriteRequest.pb()(
            database=self._database, writes=[entry.write for entry in batch]
        )
        try:
            client = await self._connection.client()
            reply = await client.batch_write(
                BatchWriteRequest.wrap(request),
                retry=None,
                timeout=CALL_SECONDS,
                metadata=routing(self._database),
            )
        except exceptions.InvalidArgument as error:
            await self._split(batch, error)
        except exceptions.GoogleAPICallError as error:
            fail(batch, partial(type(error), error.message))
        except Unavailable as error:
            fail(batch, partial(Unavailable, error.reason))
        else:
            _settle(batch, BatchWriteResponse.pb(reply))

    async def _split(self, batch: Sequence[_Entry], error: exceptions.InvalidArgument) -> None:
        # Firestore refuses a whole call for one invalid write; alone, each gets its own answer.
        if len(batch) == 1:
            fail(batch, partial(exceptions.InvalidArgument, error.message))
            return
        await asyncio.gather(*(self._call([entry]) for entry in batch))


def create_store(environ: Mapping[str, str], collection: str) -> FirestoreStore:
    """Make the store of one function, in Firestore or at `FIRESTORE_EMULATOR_HOST`.

    Safe to call before the server forks: nothing connects until the first read or write. Raises
    `ConfigurationError`.
    """
    environment = Environment(environ)
    emulator = environment.text("FIRESTORE_EMULATOR_HOST")
    return FirestoreStore(
        opener(HOST, emulator), environment.database("FIRESTORE_DATABASE"), collection
    )


def make_client(channel: grpc.aio.Channel) -> FirestoreAsyncClient:
    """Return a client of Firestore over `channel`."""
    return FirestoreAsyncClient(transport=FirestoreGrpcAsyncIOTransport(channel=channel))


def routing(database: str) -> Sequence[tuple[str, str]]:
    """Return the header by which the service finds a named database."""
    return (("google-cloud-resource-prefix", database),)


async def batch_get(
    client: FirestoreAsyncClient, database: str, names: Sequence[str]
) -> list[Snapshot | None]:
    """Read documents by their full names in one call; None for each that does not exist.

    Raises the client's errors, and one of them where Firestore does not answer for a document.
    """
    replies = await client.batch_get_documents(
        {"database": database, "documents": names},
        retry=None,
        timeout=CALL_SECONDS,
        metadata=routing(database),
    )
    found: dict[str, Snapshot | None] = {}
    # In any order: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1
    async for each in replies:
        reply = BatchGetDocumentsResponse.pb(each)
        if reply.HasField("found"):
            document = reply.found
            found[document.name] = Snapshot(read_fields(document), document.update_time)
        else:
            found[reply.missing] = None
    if not found.keys() >= set(names):
        # A stream that ends early does not say that a document is missing.
        raise exceptions.ServiceUnavailable("Firestore did not answer for a document")
    return [found[name] for name in names]


def _apart(batch: Sequence[_Entry]) -> Iterator[Sequence[_Entry]]:
    """Yield a batch in parts that write each document once, as one call requires.

    The parts are sent side by side, as the writes would be without batching.
    """
    while batch:
        part = {entry.document: entry for entry in batch}
        yield list(part.values())
        batch = [entry for entry in batch if part[entry.document] is not entry]


def _settle(batch: Sequence[_Entry], reply: Message) -> None:
    for entry, result, status in zip(batch, reply.write_results, reply.status, strict=True):
        if entry.result.done():
            continue
        if status.code:
            entry.result.set_exception(_refusal(status))
        else:
            entry.result.set_result(result.update_time)


def _refusal(status: Message) -> Exception:
    error = exceptions.from_grpc_status(status.code, status.message)
    return Conflict(type(error).__name__) if isinstance(error, CONFLICTS) else error


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Raise `LedgerUnavailable` for the client's errors in the body and for a body that hangs."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            yield
    except Unavailable as error:
        raise LedgerUnavailable(error.reason) from error
    except (exceptions.GoogleAPIError, TimeoutError) as error:
        raise LedgerUnavailable(f"ledger-{type(error).__name__}") from error
