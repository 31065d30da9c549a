"""The lease that one run holds at a time, in the jobs' database."""

import contextlib
import secrets
from datetime import datetime, timedelta

from relay.errors import Unavailable
from relay.gcp.database import Database, Write
from relay.gcp.documents import Version
from relay.gcp.store import Conflict
from relay.log import log

DOCUMENT = "reconciler/lease"


class Lease:
    """A held lease. A holder that dies blocks others until it expires."""

    def __init__(self, database: Database, version: Version) -> None:
        self._database = database
        self._version = version

    async def end(self, now: datetime) -> None:
        """Let others run; where that fails, the lease expires."""
        try:
            await self._database.commit(Write(DOCUMENT, {"lease_until": now}, self._version))
        except (Conflict, Unavailable) as error:
            log("WARNING", "lease left to expire", reason=str(error))


async def take(database: Database, now: datetime, length: timedelta) -> Lease | None:
    """Take the lease until `now` + `length`, or return None where another run holds it."""
    owner = secrets.token_hex(16)
    [found] = await database.read(DOCUMENT)
    if found is not None and _alive(found.fields.get("lease_until"), now):
        return None
    claim = {"owner": owner, "lease_until": now + length}
    # Another run may be faster; or we were, and the reply is lost: the owner tells.
    with contextlib.suppress(Conflict):
        await database.commit(Write(DOCUMENT, claim, found.version if found else None))
    [found] = await database.read(DOCUMENT)
    if found is None or found.fields.get("owner") != owner:
        return None
    return Lease(database, found.version)


def _alive(until: object, now: datetime) -> bool:
    return isinstance(until, datetime) and until > now
