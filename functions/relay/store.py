"""Documents with preconditions: the slice of Firestore that a lease needs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from google.api_core import exceptions
from google.api_core.retry import AsyncRetry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore import AsyncClient

from relay.errors import RelayError, Unavailable

Version = Any
"""A document's `update_time`: opaque, only ever passed back."""

# All of it, retries included. A write is tried again even if the first may have been applied: the
# ledger tells from the owner whether it was.
_CALL_SECONDS = 5.0
_RETRY = AsyncRetry(
    predicate=if_exception_type(
        exceptions.Aborted,
        exceptions.InternalServerError,
        exceptions.ResourceExhausted,
        exceptions.ServiceUnavailable,
    ),
    initial=0.1,
    maximum=1.0,
    timeout=_CALL_SECONDS,
)


class Conflict(RelayError):
    """A precondition did not hold; or it did, and the reply to our first try was lost."""


class LedgerUnavailable(Unavailable):
    """Firestore did not answer, or refused for a reason that is not a precondition."""


@dataclass(frozen=True)
class Snapshot:
    """A document as it was read."""

    fields: Mapping[str, Any]
    version: Version


class Store(Protocol):
    """Where a ledger's documents lie. Every method may raise `LedgerUnavailable`."""

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


class FirestoreStore:
    """A collection in Firestore. It belongs to the event loop that its client was made in."""

    def __init__(self, client: AsyncClient, collection: str) -> None:
        self._client = client
        self._collection = collection

    async def create(self, document: str, fields: Mapping[str, Any]) -> Version:
        """Write a document that must not exist, else raise `Conflict`; return its version."""
        async with _translated(exceptions.AlreadyExists):
            reference = self._client.document(self._collection, document)
            written = await reference.create(dict(fields), retry=_RETRY, timeout=_CALL_SECONDS)
        return written.update_time

    async def read(self, document: str) -> Snapshot | None:
        """Return the document as of now, or None where there is none."""
        async with _translated():
            reference = self._client.document(self._collection, document)
            found = await reference.get(retry=_RETRY, timeout=_CALL_SECONDS)
        return Snapshot(found.to_dict() or {}, found.update_time) if found.exists else None

    async def update(self, document: str, fields: Mapping[str, Any], version: Version) -> Version:
        """Write fields of a document that must be at `version`, else raise `Conflict`."""
        async with _translated(exceptions.FailedPrecondition, exceptions.NotFound):
            written = await self._client.document(self._collection, document).update(
                dict(fields),
                option=self._client.write_option(last_update_time=version),
                retry=_RETRY,
                timeout=_CALL_SECONDS,
            )
        return written.update_time


@asynccontextmanager
async def _translated(*conflicts: type[Exception]) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            yield
    except conflicts as error:
        raise Conflict(type(error).__name__) from error
    except (exceptions.GoogleAPIError, GoogleAuthError, TimeoutError) as error:
        raise LedgerUnavailable(f"ledger-{type(error).__name__}") from error
