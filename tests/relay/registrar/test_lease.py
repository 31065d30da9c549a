from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from relay.errors import Unavailable
from relay.gcp.documents import Version
from relay.gcp.store import Conflict, FirestoreStore, LedgerUnavailable
from relay.registrar.lease import LEASE, give_back, remembered, take
from relay.registrar.problems import Busy
from relay.registrar.state import State
from tests.relay.registrar.world import World


class LosingReplies(FirestoreStore):
    """Every write is applied, and its reply lost: the client's own retry then sees a conflict."""

    async def create(self, document: str, fields: Mapping[str, Any]) -> Version:
        await super().create(document, fields)
        raise Conflict("AlreadyExists")

    async def update(self, document: str, fields: Mapping[str, Any], version: Version) -> Version:
        await super().update(document, fields, version)
        raise Conflict("FailedPrecondition")


class Failing(FirestoreStore):
    async def update(
        self, _document: str, _fields: Mapping[str, Any], _version: Version
    ) -> Version:
        raise LedgerUnavailable("ledger-ServiceUnavailable")


async def test_a_lease_holds_the_state_last_written(world: World) -> None:
    store = world.store("lease")
    assert await remembered(store) == State()
    lease = await take(store, world.now)
    written = replace(lease.state, webhook_id="w", retiring={1: world.now()})
    await lease.write(written)
    await lease.end(written, world.now())
    assert await remembered(store) == written
    assert (await take(store, world.now)).state == written


async def test_lost_replies_are_recognised(world: World) -> None:
    store = world.store("lossy", LosingReplies)
    lease = await take(store, world.now)
    await lease.write(replace(lease.state, webhook_id="w"))
    await lease.end(lease.state, world.now())
    again = await take(store, world.now)
    assert again.state.webhook_id == "w"


async def test_a_second_request_waits_and_gives_up(world: World) -> None:
    store = world.store("busy")
    await take(store, world.now)
    with pytest.raises(Busy):
        await take(store, world.now, world.clock.advance)


async def test_an_expired_lease_is_taken_and_its_holder_refused(world: World) -> None:
    store = world.store("over")
    late = await take(store, world.now)
    await world.clock.advance(LEASE.total_seconds())
    await take(store, world.now)
    with pytest.raises(Busy):
        await late.write(late.state)
    await give_back(late, late.state, world.now())


async def test_a_document_that_was_deleted_is_no_lease(world: World) -> None:
    store = world.store("deleted")
    lease = await take(store, world.now)
    await world.firestore.document("deleted", "webhook").delete()
    with pytest.raises(Busy):
        await lease.write(lease.state)


async def test_a_lease_that_cannot_be_ended_expires(world: World) -> None:
    store = world.store("failing", Failing)
    lease = await take(store, world.now)
    with pytest.raises(Unavailable):
        await lease.write(lease.state)
    await give_back(lease, lease.state, world.now())
    await world.clock.advance(LEASE.total_seconds())
    await take(world.store("failing"), world.now)
