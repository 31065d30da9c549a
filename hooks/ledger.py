"""Reads the ledger: what the dispatcher has recorded of each event, newest first.

Timestamps have no index of their own, which would cap writes at 500 a second
(https://cloud.google.com/firestore/docs/query-data/indexing). Entries are read newest first from
a composite index by shard, and the sixteen shards are merged here. An id, a subject and the rare
states have automatic indexes; every other condition is checked here.
"""

import asyncio
import heapq
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud.firestore import AsyncClient, FieldFilter, Query

from hooks.errors import HooksError
from relay.dispatcher.claims import CLAIMED, DEAD_LETTERED, DONE, POISON, SHARDS, document_id
from relay.jobs import DELIVERIES

STATES = (CLAIMED, DONE, DEAD_LETTERED, POISON)
_RARE = (CLAIMED, DEAD_LETTERED, POISON)
_LARGEST_PAGE = 300
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Entry = dict[str, Any]
"""A document's fields, and its id as `document`."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Selects entries: `type` is a glob, times are in UTC, `until` is excluded."""

    id: str = ""
    type: str = ""
    subject: str = ""
    state: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether an entry is selected."""
        received = _received(entry)
        return (
            (not self.id or entry.get("id") == self.id)
            and (not self.type or fnmatchcase(str(entry.get("type", "")), self.type))
            and (not self.subject or entry.get("subject") == self.subject)
            and (not self.state or entry.get("state") == self.state)
            and (not self.since or received >= self.since)
            and (not self.until or received < self.until)
        )

    @property
    def indexed(self) -> tuple[str, str] | None:
        """An indexed field and its value, by which the entries can be queried, if there is one."""
        if self.id:
            return "id", self.id
        if self.subject:
            return "subject", self.subject
        return ("state", self.state) if self.state in _RARE else None


@dataclass(frozen=True)
class Found:
    """Entries, newest first; `scanned` documents were read, `cut_short` at the limit on that."""

    entries: list[Entry]
    scanned: int
    cut_short: bool


async def search(client: AsyncClient, wanted: Wanted, *, limit: int, most: int) -> Found:
    """Return up to `limit` selected entries; read at most `most` documents.

    Raises `HooksError` if Firestore refuses.
    """
    found: list[Entry] = []
    scanned = 0
    try:
        async for entry in _candidates(client, wanted, limit, most):
            if scanned == most:
                return Found(found, scanned, cut_short=True)
            scanned += 1
            if wanted.takes(entry):
                found.append(entry)
                if len(found) == limit:
                    break
    except GoogleAPICallError as error:
        raise HooksError(f"Firestore refused: {error.message}") from error
    return Found(found, scanned, cut_short=False)


async def entry_of(client: AsyncClient, key: str) -> Entry | None:
    """Return the entry of one key, or None; raises `HooksError`."""
    try:
        snapshot = await client.document(DELIVERIES, document_id(key)).get()
    except GoogleAPICallError as error:
        raise HooksError(f"Firestore refused: {error.message}") from error
    return _entry(snapshot) if snapshot.exists else None


async def count(client: AsyncClient, since: datetime, until: datetime) -> int:
    """Return how many entries were received from `since` to `until`; raises `HooksError`."""

    async def of(shard: int) -> int:
        window = Wanted(since=since, until=until)
        [[result]] = await _of_shard(client, shard, window).count().get()
        return int(result.value)

    try:
        return sum(await asyncio.gather(*map(of, range(SHARDS))))
    except GoogleAPICallError as error:
        raise HooksError(f"Firestore refused: {error.message}") from error


def _candidates(client: AsyncClient, wanted: Wanted, limit: int, most: int) -> AsyncIterator[Entry]:
    if wanted.indexed:
        return _looked_up(client, *wanted.indexed, most)
    # A shard has about a sixteenth of the newest entries; a further page is read if needed.
    page = min(_LARGEST_PAGE, max(4, math.ceil(2 * limit / SHARDS)))
    return _merged(client, wanted, page)


async def _looked_up(
    client: AsyncClient, field: str, value: str, most: int
) -> AsyncIterator[Entry]:
    query = client.collection(DELIVERIES).where(filter=FieldFilter(field, "==", value))
    entries = [_entry(each) async for each in query.limit(most + 1).stream()]
    for entry in sorted(entries, key=_received, reverse=True):
        yield entry


async def _merged(client: AsyncClient, wanted: Wanted, page: int) -> AsyncIterator[Entry]:
    shards = [_shard(client, shard, wanted, page) for shard in range(SHARDS)]
    firsts = await asyncio.gather(*(anext(shard, None) for shard in shards))
    heap = [
        (-_received(entry).timestamp(), number, entry)
        for number, entry in enumerate(firsts)
        if entry is not None
    ]
    heapq.heapify(heap)
    while heap:
        _, number, entry = heap[0]
        following = await anext(shards[number], None)
        if following is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (-_received(following).timestamp(), number, following))
        yield entry


async def _shard(
    client: AsyncClient, shard: int, wanted: Wanted, page: int
) -> AsyncIterator[Entry]:
    query = _of_shard(client, shard, wanted).limit(page)
    while True:
        snapshots = await query.get()
        for snapshot in snapshots:
            yield _entry(snapshot)
        if len(snapshots) < page:
            return
        query = query.start_after(snapshots[-1])


def _of_shard(client: AsyncClient, shard: int, wanted: Wanted) -> Any:
    query = client.collection(DELIVERIES).where(filter=FieldFilter("shard", "==", shard))
    if wanted.since:
        query = query.where(filter=FieldFilter("received_at", ">=", wanted.since))
    if wanted.until:
        query = query.where(filter=FieldFilter("received_at", "<", wanted.until))
    return query.order_by("received_at", direction=Query.DESCENDING)


def _entry(snapshot: Any) -> Entry:
    return {"document": snapshot.id, **(snapshot.to_dict() or {})}


def _received(entry: Mapping[str, Any]) -> datetime:
    received = entry.get("received_at")
    return received if isinstance(received, datetime) else _LONG_AGO
