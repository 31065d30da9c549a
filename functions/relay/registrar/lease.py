"""The lease that one request holds at a time, and the state that it guards.

Every write is conditional on the one before. A write whose reply was lost is recognised by its
mark. A holder that dies blocks others until its lease expires; one whose lease has expired finds
its next write refused.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from relay.errors import Unavailable
from relay.gcp.documents import Version
from relay.gcp.store import Conflict, Snapshot, Store
from relay.log import log
from relay.registrar.problems import Busy
from relay.registrar.state import State, from_fields, to_fields

DOCUMENT = "webhook"
LEASE = timedelta(seconds=90)
PATIENCE = timedelta(seconds=30)
"""How long a request waits for another one's lease to end."""

_PAUSE_SECONDS = 0.5

Now = Callable[[], datetime]
Pause = Callable[[float], Awaitable[None]]


class Lease:
    """A held lease. `state` is what was last written, or found when the lease was taken."""

    def __init__(self, store: Store, state: State, version: Version) -> None:
        self._store = store
        self._version = version
        self.state = state

    async def write(self, state: State) -> None:
        """Store a state. Raises `Busy` when another request has taken the lease."""
        await self._update(to_fields(state))
        self.state = state

    async def end(self, state: State, now: datetime) -> None:
        """Store a state and end the lease."""
        await self._update({**to_fields(state), "lease_until": now})
        self.state = state

    async def _update(self, fields: dict[str, Any]) -> None:
        marked = {**fields, "mark": secrets.token_hex(8)}
        try:
            self._version = await self._store.update(DOCUMENT, marked, self._version)
        except Conflict:
            found = await self._store.read(DOCUMENT)
            if found is None or found.fields.get("mark") != marked["mark"]:
                raise Busy("Another request took over.") from None
            self._version = found.version


async def take(store: Store, now: Now, pause: Pause = asyncio.sleep) -> Lease:
    """Take the lease, waiting for another's to end; raises `Busy` after half a minute."""
    owner = secrets.token_hex(16)
    give_up = now() + PATIENCE
    while now() < give_up:
        found = await store.read(DOCUMENT)
        if found is not None and found.fields.get("owner") == owner:
            # Our claim was applied, and its reply was lost.
            return Lease(store, from_fields(found.fields), found.version)
        if found is None or _free(found, now()):
            lease = await _claim(store, found, owner, now())
            if lease is not None:
                return lease
        else:
            await pause(_PAUSE_SECONDS)
    raise Busy("Another request is at work.")


async def remembered(store: Store) -> State:
    """Return the stored state without taking the lease."""
    found = await store.read(DOCUMENT)
    return State() if found is None else from_fields(found.fields)


async def give_back(lease: Lease, state: State, now: datetime) -> None:
    """End a lease after a failure; if that fails too, the lease expires."""
    try:
        await lease.end(state, now)
    except (Busy, Unavailable) as error:
        log("WARNING", "lease left to expire", reason=str(error))


def _free(found: Snapshot, now: datetime) -> bool:
    until = found.fields.get("lease_until")
    return until is None or until <= now


async def _claim(store: Store, found: Snapshot | None, owner: str, now: datetime) -> Lease | None:
    claim = {"owner": owner, "lease_until": now + LEASE}
    state = State() if found is None else from_fields(found.fields)
    try:
        if found is None:
            version = await store.create(DOCUMENT, {**to_fields(state), **claim})
        else:
            version = await store.update(DOCUMENT, claim, found.version)
    except Conflict:
        # Another request was faster, or the reply was lost: the next read tells which.
        return None
    return Lease(store, state, version)
