import asyncio

import pytest

from hooks import leases as module
from hooks.errors import HooksError
from hooks.leases import Leases, lease_messages, patience
from localcloud.core import clients
from tests.hooks.conftest import NAMES, Relay


async def dead(relay: Relay, count: int) -> None:
    for number in range(count):
        await relay.publish(NAMES.dead_letter, str(number).encode())


async def test_more_messages_than_one_answer_holds_are_leased_and_given_back(relay: Relay) -> None:
    await dead(relay, 1200)
    async with (
        clients.subscriber(relay.address) as client,
        lease_messages(client, NAMES.dead_letters, patience=1) as held,
    ):
        found = [message async for message in held.messages()]
        assert sorted(int(each.data) for each in found) == list(range(1200))
        assert relay.pubsub.leased(NAMES.dead_letters) == 1200
        await held.acknowledge(found[:1100])
    assert relay.dead == 100
    assert relay.pubsub.leased(NAMES.dead_letters) == 0


async def test_an_error_in_the_block_gives_every_message_back(relay: Relay) -> None:
    await dead(relay, 3)

    async def fail_with_leases() -> None:
        async with (
            clients.subscriber(relay.address) as client,
            lease_messages(client, NAMES.dead_letters, patience=1) as held,
        ):
            assert len(await held.pull(2)) == 2
            raise LookupError

    with pytest.raises(LookupError):
        await fail_with_leases()
    assert relay.pubsub.leased(NAMES.dead_letters) == 0
    assert relay.dead == 3


async def test_leases_are_renewed_in_the_background(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW_SECONDS", 0.01)
    await dead(relay, 1)
    renewed = asyncio.Event()
    relay.watch = lambda call: renewed.set() if "ModifyAckDeadline" in call.method else None
    async with (
        clients.subscriber(relay.address) as client,
        lease_messages(client, NAMES.dead_letters, patience=1) as held,
    ):
        await held.pull(1)
        async with asyncio.timeout(30):
            await renewed.wait()
        assert relay.pubsub.leased(NAMES.dead_letters) == 1


async def test_a_failed_renewal_is_reported(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RENEW_SECONDS", 0.01)
    await dead(relay, 1)
    relay.refuse = lambda call: "ModifyAckDeadline" in call.method
    async with clients.subscriber(relay.address) as client:
        held = Leases(client, NAMES.dead_letters, patience=1)
        await held.pull(1)
        with pytest.raises(HooksError, match="Pub/Sub refused"):
            await held.renew()
        relay.refuse = lambda _call: False
        await held.release()
    assert relay.pubsub.leased(NAMES.dead_letters) == 0


async def test_several_empty_answers_mean_that_there_are_no_more_messages(
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
        lease_messages(client, NAMES.dead_letters, patience=4) as held,
    ):
        assert await held.pull(1) == []
    assert pulls == 4
    assert patience("localhost:1") == 1
    assert patience("") > 1
