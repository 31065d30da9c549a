"""The claim protocol's reads and writes: who may fan an event out, and how far it got.

The protocol and its invariants are recorded in docs/decisions/0002-claim-protocol.md.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from relay.dispatcher import claims
from relay.dispatcher.claims import Record, Terms, Verdict
from relay.dispatcher.event import Event
from relay.gcp.documents import Version
from relay.gcp.store import Conflict, Store

# Shares of the patience to wait before each look: most work ends soon, so look soon.
_PAUSES = (0, 1 / 15, 2 / 15, 4 / 15, 8 / 15)


class Ending(Enum):
    """The outcome of the write that ends a claim."""

    RECORDED = "recorded"
    ALREADY_DONE = "already-done"
    LOST = "lost"


@dataclass(frozen=True)
class Claim:
    """The right to fan one event out until the lease is over.

    `version` is what our own last write returned, and the next write depends on it.
    """

    document: str
    owner: str
    attempt: int
    routes_done: tuple[str, ...]
    version: Version = field(repr=False)


class Ledger:
    """Claims over a store. `now` returns the time in UTC.

    Every method may raise `LedgerUnavailable`; what was written stays, and the lease expires.
    """

    def __init__(self, store: Store, terms: Terms, now: Callable[[], datetime]) -> None:
        self._store = store
        self._terms = terms
        self._now = now

    async def claim(self, event: Event, deadline: float) -> Claim | Verdict:
        """Claim an event for this request, or say why not: `DUPLICATE` or `BUSY`.

        While another worker's lease is alive, reads again for as long as the terms' patience.
        Takes nothing over after `deadline` (the loop's clock): a worker that was frozen must not
        reopen an event that others have finished.
        """
        owner = secrets.token_hex(16)
        outcome = await self._create(event, owner)
        for share in _PAUSES:
            if outcome is not Verdict.BUSY:
                break
            await asyncio.sleep(share * self._terms.patience)
            outcome = await self._look(event, owner, deadline)
        return outcome

    async def end(
        self, claim: Claim, state: str, routes_done: Iterable[str], *, absorbed_by: str = ""
    ) -> Ending:
        """End a claim: record its progress and state, and end the lease, in one write.

        `LOST` means that another worker has taken the event over.
        """
        fields = claims.ended(state, routes_done, self._now(), self._terms, absorbed_by=absorbed_by)
        version = claim.version
        # A second time only if the document is still ours.
        for _ in range(2):
            try:
                await self._store.update(claim.document, fields, version)
            except Conflict:
                found = await self._store.read(claim.document)
            else:
                return Ending.RECORDED
            record = Record.of(found.fields if found else {})
            if record.state in claims.FINAL:
                return Ending.ALREADY_DONE
            if found is None or record.owner != claim.owner:
                return Ending.LOST
            version = found.version
        return Ending.LOST

    async def _create(self, event: Event, owner: str) -> Claim | Verdict:
        document = claims.document_id(event.key)
        fields = claims.first_claim(event, owner, self._now(), self._terms)
        try:
            version = await self._store.create(document, fields)
        except Conflict:
            return Verdict.BUSY
        return Claim(document, owner, 1, (), version)

    async def _look(self, event: Event, owner: str, deadline: float) -> Claim | Verdict:
        document = claims.document_id(event.key)
        found = await self._store.read(document)
        if asyncio.get_running_loop().time() >= deadline:
            return Verdict.BUSY
        if found is None:
            return await self._create(event, owner)
        record = Record.of(found.fields)
        if record.owner == owner:
            # Our own write was applied, its reply was lost, and the retry met a conflict.
            return Claim(document, owner, record.attempt, record.routes_done, found.version)
        verdict = claims.judge(record, self._now())
        if verdict is not Verdict.FREE:
            return verdict
        fields = claims.takeover(record, event, owner, self._now(), self._terms)
        try:
            version = await self._store.update(document, fields, found.version)
        except Conflict:
            return Verdict.BUSY
        return Claim(document, owner, fields["attempt"], claims.resumed(record), version)
