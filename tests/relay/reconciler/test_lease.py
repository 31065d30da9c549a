from datetime import timedelta
from typing import Any

import pytest

from relay.gcp.store import Conflict, LedgerUnavailable
from relay.reconciler.lease import DOCUMENT, take
from tests.relay.reconciler.world import NOW
from tests.support.documents import MemoryDatabase

LENGTH = timedelta(seconds=300)


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


async def test_one_run_holds_it_at_a_time(database: MemoryDatabase) -> None:
    lease = await take(database, NOW, LENGTH)
    assert lease is not None
    assert await take(database, NOW, LENGTH) is None
    await lease.end(NOW)
    assert await take(database, NOW, LENGTH) is not None


async def test_a_holder_that_died_is_succeeded(database: MemoryDatabase) -> None:
    first = await take(database, NOW, LENGTH)
    assert await take(database, NOW + LENGTH - timedelta(seconds=1), LENGTH) is None
    second = await take(database, NOW + LENGTH, LENGTH)
    assert first is not None
    assert second is not None
    # The first one wakes up, and takes nothing from its successor.
    await first.end(NOW + LENGTH)
    assert await take(database, NOW + LENGTH, LENGTH) is None


@pytest.mark.parametrize("existing", [False, True])
async def test_of_two_at_once_one_has_it(database: MemoryDatabase, *, existing: bool) -> None:
    if existing:
        database.documents.create(DOCUMENT, {"lease_until": "odd"})
    commit = database.commit

    async def late(*writes: Any) -> None:
        database.commit = commit  # type: ignore[method-assign]
        assert await take(database, NOW, LENGTH) is not None
        await commit(*writes)

    database.commit = late  # type: ignore[method-assign]
    assert await take(database, NOW, LENGTH) is None


async def test_a_lost_reply_is_recognised(database: MemoryDatabase) -> None:
    commit = database.commit

    async def repeated(*writes: Any) -> None:
        await commit(*writes)
        raise Conflict("AlreadyExists")

    database.commit = repeated  # type: ignore[method-assign]
    assert await take(database, NOW, LENGTH) is not None


async def test_a_lease_that_cannot_be_ended_expires(
    database: MemoryDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    lease = await take(database, NOW, LENGTH)
    assert lease is not None

    async def unavailable(*_writes: Any) -> None:
        raise LedgerUnavailable("ledger-down")

    database.commit = unavailable  # type: ignore[method-assign]
    await lease.end(NOW)
    assert "lease left to expire" in capsys.readouterr().out
