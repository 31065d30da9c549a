"""The ledgers as the emulator holds them, and time that passes for jobs without being awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_v1.types import Document

from localcloud.core.rpc import RpcError
from localcloud.firestore import Firestore
from relay.gcp.documents import read_fields
from relay.jobs import DELIVERIES, JOBS
from relay.jobs.documents import Record

_LEASES = "reconciler"
_TIMES = ("created_at", "started_at", "check_at", "deadline")


@dataclass(frozen=True)
class Deliveries:
    """How many deliveries were absorbed, and which are not done."""

    absorbed: int
    undone: list[str]


class Ledgers:
    """The ledger of jobs and that of deliveries, of one project, in the emulator itself."""

    def __init__(self, firestore: Firestore, project: str, database: str) -> None:
        self._methods = firestore.services["google.firestore.v1.Firestore"]
        self._jobs = f"projects/{project}/databases/{database}"
        self._deliveries = f"projects/{project}/databases/(default)"

    async def jobs(self) -> Mapping[str, Record]:
        """Return all jobs by id."""
        return {
            each.name.rpartition("/")[2]: Record.of(each.name.rpartition("/")[2], read_fields(each))
            async for each in self._documents(self._jobs, JOBS)
        }

    async def deliveries(self) -> Deliveries:
        """Return what the dispatchers have recorded."""
        found = [read_fields(each) async for each in self._documents(self._deliveries, DELIVERIES)]
        absorbed = sum(bool(each.get("absorbed_by")) for each in found)
        return Deliveries(absorbed, [str(each["id"]) for each in found if each["state"] != "done"])

    async def hurry(self) -> None:
        """Make every look that is due later due now."""
        now = datetime.now(UTC)
        await self._change(
            JOBS, lambda name, value: min(now, value) if name == "check_at" else value
        )

    async def age(self, by: timedelta) -> None:
        """Make every job older: as if so much time had passed since all that happened."""
        await self._change(JOBS, lambda name, value: value - by if name in _TIMES else value)

    async def end_leases(self) -> None:
        """Let the lease of a reconciler that was killed be over."""
        now = datetime.now(UTC)
        await self._change(_LEASES, lambda _name, value: min(now, value))

    async def _change(self, collection: str, change: Callable[[str, datetime], datetime]) -> None:
        """Change the times of documents; those that others write meanwhile are left alone."""
        async for document in self._documents(self._jobs, collection):
            changed = []
            for name, value in document.fields.items():
                if value.HasField("timestamp_value"):
                    before = value.timestamp_value.ToDatetime(UTC)
                    after = change(name, before)
                    if after != before:
                        value.timestamp_value.FromDatetime(after)
                        changed.append(name)
            if changed:
                await self._write(document, changed)

    async def _write(self, document: Any, fields: list[str]) -> None:
        method = self._methods["Commit"]
        request: Any = method.request(database=self._jobs)  # type: ignore[call-arg]
        write = request.writes.add()
        write.update.CopyFrom(document)
        write.update_mask.field_paths.extend(fields)
        write.current_document.update_time.CopyFrom(document.update_time)
        try:
            await method.handler(request)
        except RpcError as error:
            if error.code.name not in {"FAILED_PRECONDITION", "NOT_FOUND"}:
                raise

    async def _documents(self, database: str, collection: str) -> AsyncIterator[Any]:
        method = self._methods["RunQuery"]
        request: Any = method.request(parent=f"{database}/documents")  # type: ignore[call-arg]
        request.structured_query.from_.add(collection_id=collection)
        for reply in [reply async for reply in method.handler(request)]:
            if reply.HasField("document"):
                copy = Document.pb()()
                copy.CopyFrom(reply.document)
                yield copy
                # The handlers never wait, and others want the loop.
                await asyncio.sleep(0)
