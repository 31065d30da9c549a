import asyncio

import pytest

from hooks.dlq import holding as module
from hooks.dlq.holding import Holding, holding, patience
from hooks.errors import HooksError
from localcloud.core import clients
from tests.hooks.conftest import NAMES, Relay


async def dead(relay: Relay, count: int) -> None:
    for number in range(count):
        await relay.publish(NAMES.dead_letter, str(number).encode())


async def test_more_than_one_answer_can_hold_is_held_and_given_back(relay: Relay) -> None:
    await dead(relay, 1200)
    async with (
        clients.subscriber(relay.address) as client,
        holding(client, NAMES.dead_letters, patience=1) as held,
    ):
        found = [message async for message in held.messages()]
        assert sorted(int(each.data) for each in found) == list(range(1200))
        assert relay.pubsub.leased(NAMES.dead_letters) == 1200
        await held.acknowledge(found[:1100])
    assert relay.dead == 100
    assert relay.pubsub.leased(NAMES.dead_letters) == 0


async def test_whatever_ends_the_block_everything_is_given_back(relay: Relay) -> None:
    await dead(relay, 3)

    async def fail_while_holding() -> None:
        async with (
            clients.subscriber(relay.address) as client,
            holding(client, NAMES.dead_letters, patience=1) as held,
        ):
            assert len(await held.pull(2)) == 2
            raise LookupError

    with pytest.raises(LookupError):
        await fail_while_holding()
    assert relay.pubsub.leased(NAMES.dead_letters) == 0
    assert relay.dead == 3


async def test_leases_are_renewed_while_somebody_thinks(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW_SECONDS", 0.01)
    await dead(relay, 1)
    renewed = asyncio.Event()
    relay.watch = lambda call: renewed.set() if "ModifyAckDeadline" in call.method else None
    async with (
        clients.subscriber(relay.address) as client,
        holding(client, NAMES.dead_letters, patience=1) as held,
    ):
        await held.pull(1)
        async with asyncio.timeout(30):
            await renewed.wait()
        assert relay.pubsub.leased(NAMES.dead_letters) == 1


async def test_a_lease_that_cannot_be_renewed_is_no_secret(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW_SECONDS", 0.01)
    await dead(relay, 1)
    relay.refuse = lambda call: "ModifyAckDeadline" in call.method
    async with clients.subscriber(relay.address) as client:
        held = Holding(client, NAMES.dead_letters, patience=1)
        await held.pull(1)
        with pytest.raises(HooksError, match="Pub/Sub refused"):
            await held.keep()
        relay.refuse = lambda _call: False
        await held.release()
    assert relay.pubsub.leased(NAMES.dead_letters) == 0


async def test_the_service_is_asked_more_than_once_before_there_is_nothing(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.01)
    pulls = 0

    def count(call: object) -> None:
        nonlocal pulls
        pulls += "Pull" in getattr(call, "method", "")

    relay.watch = count
    async with (
        clients.subscriber(relay.address) as client,
        holding(client, NAMES.dead_letters, patience=4) as held,
    ):
        assert await held.pull(1) == []
    assert pulls == 4
    assert patience("localhost:1") == 1
    assert patience("") > 1
