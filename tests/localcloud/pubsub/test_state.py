"""What a Pub/Sub holds survives in a JSON document."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from google.pubsub_v1 import types

from localcloud.core.clock import ManualClock
from localcloud.pubsub import PubSub
from tests.support.pubsub import DEAD_TOPIC, SUBSCRIPTION, TOPIC, Calls, Endpoint


@pytest.fixture
async def successor(clock: ManualClock, endpoint: Endpoint) -> AsyncIterator[Calls]:
    """Another Pub/Sub, as the next run has it."""
    embedded = PubSub(clock, sender=endpoint)
    yield Calls(clock, embedded)
    await embedded.close()


def pass_on(pubsub: Calls, successor: Calls) -> None:
    successor.pubsub.restore(json.loads(json.dumps(pubsub.pubsub.dump())))


async def test_messages_their_ids_and_their_failures_survive(
    pubsub: Calls, successor: Calls
) -> None:
    await pubsub.topic(DEAD_TOPIC)
    policy = types.DeadLetterPolicy(dead_letter_topic=DEAD_TOPIC, max_delivery_attempts=5)
    await pubsub.subscribe(dead_letter_policy=policy, filter="attributes:wanted")
    for data in (b"acknowledged", b"returned", b"leased", b"ready"):
        await pubsub.publish(data, wanted="yes")
    acknowledged, returned = await pubsub.pull(2)
    await pubsub.acknowledge(acknowledged)
    await pubsub.modify(0, returned)
    await pubsub.pull(1)
    pass_on(pubsub, successor)

    kept = await successor.pull()
    attempts = {each.message.data: each.delivery_attempt for each in kept}
    assert attempts == {b"returned": 2, b"leased": 1, b"ready": 1}
    assert kept[0].message.message_id == returned.message.message_id
    assert dict(kept[0].message.attributes) == {"wanted": "yes"}
    newest = max(int(each.message.message_id) for each in kept)
    assert int(await successor.publish(b"new", wanted="yes")) > newest
    await successor.publish(b"unwanted")
    assert await successor.payloads() == [b"new"]


async def test_retained_messages_can_be_sought_in_the_next_run(
    pubsub: Calls, clock: ManualClock, successor: Calls
) -> None:
    await pubsub.topic("projects/p/topics/kept", message_retention_duration=timedelta(hours=1))
    await pubsub.subscribe(topic="projects/p/topics/kept")
    start = clock.time()
    await pubsub.publish(b"x", topic="projects/p/topics/kept")
    await pubsub.acknowledge(*await pubsub.pull())
    pass_on(pubsub, successor)

    assert await successor.payloads() == []
    await successor.seek(start)
    assert await successor.payloads() == [b"x"]


async def test_what_is_retained_after_its_acknowledgement_stays_acknowledged(
    pubsub: Calls, clock: ManualClock, successor: Calls
) -> None:
    await pubsub.subscribe(retain_acked_messages=True)
    start = clock.time()
    await pubsub.publish(b"x")
    await pubsub.acknowledge(*await pubsub.pull())
    pass_on(pubsub, successor)

    assert successor.pubsub.backlog(SUBSCRIPTION) == 0
    await successor.seek(start)
    assert await successor.payloads() == [b"x"]


async def test_a_snapshot_survives(pubsub: Calls, successor: Calls) -> None:
    name = "projects/p/snapshots/then"
    await pubsub.subscribe()
    await pubsub.publish(b"x")
    request = types.CreateSnapshotRequest(name=name, subscription=SUBSCRIPTION)
    await pubsub.call("CreateSnapshot", request)
    await pubsub.acknowledge(*await pubsub.pull())
    pass_on(pubsub, successor)

    assert await successor.payloads() == []
    await successor.call("Seek", types.SeekRequest(subscription=SUBSCRIPTION, snapshot=name))
    assert await successor.payloads() == [b"x"]


async def test_nothing_is_pushed_before_it_is_asked_for(
    pubsub: Calls, endpoint: Endpoint, successor: Calls, clock: ManualClock
) -> None:
    endpoint.answer = {0: 503}
    await pubsub.subscribe(push_config=types.PushConfig(push_endpoint="http://push.example/"))
    await pubsub.publish(b"x")
    await clock.advance(0)
    pass_on(pubsub, successor)
    await pubsub.pubsub.close()
    before = len(endpoint.requests)
    await clock.advance(600)
    assert len(endpoint.requests) == before

    await successor.pubsub.deliver()
    await clock.advance(0)
    assert len(endpoint.requests) == before + 1
    assert successor.pubsub.backlog(SUBSCRIPTION) == 0


async def test_a_subscription_outlives_its_topic(pubsub: Calls, successor: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish(b"x")
    await pubsub.call("DeleteTopic", types.DeleteTopicRequest(topic=TOPIC))
    pass_on(pubsub, successor)

    assert await successor.payloads() == [b"x"]


async def test_the_mark_differs_after_every_change(pubsub: Calls) -> None:
    marks = [pubsub.pubsub.mark()]

    def changed() -> bool:
        marks.append(pubsub.pubsub.mark())
        return marks[-1] != marks[-2]

    await pubsub.subscribe()
    assert changed()
    await pubsub.publish()
    assert changed()
    assert not changed()
    received = await pubsub.pull()
    assert changed()
    await pubsub.modify(0, *received)
    assert changed()
    await pubsub.acknowledge(*await pubsub.pull())
    assert changed()
    await pubsub.update(["ack_deadline_seconds"], ack_deadline_seconds=60)
    assert changed()
    await pubsub.seek(0)
    await pubsub.call("DeleteTopic", types.DeleteTopicRequest(topic=TOPIC))
    assert changed()
