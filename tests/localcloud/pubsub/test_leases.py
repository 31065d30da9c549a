import grpc
import pytest
from google.pubsub_v1 import types
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.core.clock import ManualClock
from localcloud.pubsub import PubSub
from localcloud.pubsub.delivery_policy import Backoff
from tests.support.pubsub import (
    DEAD_SUBSCRIPTION,
    DEAD_TOPIC,
    SUBSCRIPTION,
    TOPIC,
    Calls,
    Endpoint,
    refused,
)

DAY = 86400


async def test_a_message_reaches_every_subscription_once(pubsub: Calls) -> None:
    await pubsub.publish(b"before")
    await pubsub.subscribe()
    await pubsub.subscribe("projects/p/subscriptions/another")
    await pubsub.publish(b"after")
    assert await pubsub.payloads() == [b"after"]
    assert await pubsub.payloads(name="projects/p/subscriptions/another") == [b"after"]
    assert await pubsub.payloads() == []


async def test_an_acknowledged_message_is_gone(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish()
    [received] = await pubsub.pull()
    await pubsub.acknowledge(received)
    await pubsub.acknowledge(received)
    await pubsub.clock.advance(DAY)
    assert await pubsub.pull() == []
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def test_the_deadline_brings_a_message_back(pubsub: Calls) -> None:
    await pubsub.subscribe(ack_deadline_seconds=30)
    await pubsub.publish(b"again")
    [first] = await pubsub.pull()
    await pubsub.clock.advance(29)
    assert await pubsub.pull() == []
    await pubsub.clock.advance(1)
    [second] = await pubsub.pull()
    assert second.message == first.message
    assert second.ack_id != first.ack_id


async def test_an_acknowledgement_after_the_deadline_comes_too_late(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish()
    [late] = await pubsub.pull()
    await pubsub.clock.advance(10)
    await pubsub.acknowledge(late)
    await pubsub.modify(600, late)
    assert len(await pubsub.pull()) == 1


async def test_a_deadline_can_be_moved_either_way(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish(b"longer")
    await pubsub.publish(b"shorter")
    longer, shorter = await pubsub.pull()
    await pubsub.modify(600, longer)
    await pubsub.modify(1, shorter)
    await pubsub.clock.advance(1)
    assert await pubsub.payloads() == [b"shorter"]
    await pubsub.clock.advance(598)
    assert b"longer" not in await pubsub.payloads()
    await pubsub.clock.advance(1)
    assert b"longer" in await pubsub.payloads()


async def test_a_nack_brings_a_message_back_at_once(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish(b"again")
    await pubsub.nack(*await pubsub.pull())
    assert await pubsub.payloads() == [b"again"]


async def test_the_retry_policy_doubles_the_wait(pubsub: Calls) -> None:
    policy = {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 35}}
    await pubsub.subscribe(retry_policy=policy)
    await pubsub.publish()
    for wait in (10, 20, 35, 35):
        [received] = await pubsub.pull()
        await pubsub.nack(received)
        await pubsub.clock.advance(wait - 0.5)
        assert await pubsub.pull() == []
        await pubsub.clock.advance(0.5)


async def test_the_retry_policy_counts_after_the_deadline_too(pubsub: Calls) -> None:
    await pubsub.subscribe(retry_policy={"minimum_backoff": {"seconds": 5}})
    await pubsub.publish()
    await pubsub.pull()
    await pubsub.clock.advance(14.5)
    assert await pubsub.pull() == []
    await pubsub.clock.advance(0.5)
    assert len(await pubsub.pull()) == 1


@given(st.floats(0, 600), st.floats(0, 600), st.integers(1, 10**6))
def test_backoff_grows_between_its_bounds(one: float, other: float, failures: int) -> None:
    backoff = Backoff(min(one, other), max(one, other))
    assert backoff.minimum <= backoff.seconds(failures) <= backoff.maximum
    assert backoff.seconds(failures) <= backoff.seconds(failures + 1)


async def test_a_filter_acknowledges_what_it_does_not_want(pubsub: Calls) -> None:
    await pubsub.subscribe(filter='attributes.ce-type = "batch.succeeded"')
    await pubsub.publish(b"wanted", **{"ce-type": "batch.succeeded"})
    await pubsub.publish(b"not wanted", **{"ce-type": "batch.failed"})
    await pubsub.publish(b"nothing to match")
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 1
    assert await pubsub.payloads() == [b"wanted"]


@pytest.fixture
async def dead_letters(pubsub: Calls) -> Calls:
    await pubsub.topic(DEAD_TOPIC)
    await pubsub.subscribe(DEAD_SUBSCRIPTION, DEAD_TOPIC)
    await pubsub.subscribe(
        dead_letter_policy={"dead_letter_topic": DEAD_TOPIC, "max_delivery_attempts": 5}
    )
    return pubsub


async def test_attempts_are_counted_and_then_it_is_a_dead_letter(dead_letters: Calls) -> None:
    original = await dead_letters.publish(b"hopeless", k="v")
    for attempt in range(1, 6):
        [received] = await dead_letters.pull()
        assert received.delivery_attempt == attempt
        assert await dead_letters.pull(name=DEAD_SUBSCRIPTION) == []
        if attempt % 2:
            await dead_letters.nack(received)
        else:
            await dead_letters.clock.advance(10)
    assert await dead_letters.pull() == []
    [dead] = await dead_letters.pull(name=DEAD_SUBSCRIPTION)
    assert dead.message.data == b"hopeless"
    assert dead.message.message_id != original
    assert dead.message.attributes == {
        "k": "v",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "reader",
        "CloudPubSubDeadLetterSourceSubscriptionProject": "p",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "2027-01-15T08:00:00.000+00:00",
    }


async def test_a_message_is_retried_while_its_dead_letter_topic_is_missing(
    dead_letters: Calls,
) -> None:
    await dead_letters.call("DeleteTopic", types.DeleteTopicRequest(topic=DEAD_TOPIC))
    await dead_letters.publish()
    for attempt in range(1, 8):
        [received] = await dead_letters.pull()
        assert received.delivery_attempt == attempt
        await dead_letters.nack(received)


@pytest.mark.parametrize(
    ("denied", "resource"),
    [("pubsub.topics.publish", DEAD_TOPIC), ("pubsub.subscriptions.consume", SUBSCRIPTION)],
)
async def test_dead_letters_need_the_service_agent_s_rights(
    clock: ManualClock, denied: str, resource: str
) -> None:
    granted = False
    asked = set()

    def permit(project: str, permission: str, name: str) -> bool:
        asked.add((project, permission, name))
        return granted or permission != denied

    pubsub = Calls(clock, PubSub(clock, permit=permit))
    await pubsub.topic()
    await pubsub.topic(DEAD_TOPIC)
    await pubsub.subscribe(dead_letter_policy={"dead_letter_topic": DEAD_TOPIC})
    await pubsub.publish()
    for _ in range(6):
        await pubsub.nack(*await pubsub.pull())
    assert pubsub.pubsub.published_count(DEAD_TOPIC) == 0
    assert ("p", denied, resource) in asked
    granted = True
    await pubsub.nack(*await pubsub.pull())
    assert pubsub.pubsub.published_count(DEAD_TOPIC) == 1
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0
    await pubsub.pubsub.close()


async def test_messages_expire_with_their_retention(pubsub: Calls) -> None:
    await pubsub.subscribe(message_retention_duration={"seconds": 600})
    await pubsub.publish(b"leased")
    await pubsub.publish(b"ready")
    await pubsub.pull(1)
    await pubsub.clock.advance(300)
    await pubsub.publish(b"younger")
    await pubsub.clock.advance(299)
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 3
    await pubsub.clock.advance(1)
    assert await pubsub.payloads() == [b"younger"]
    assert pubsub.pubsub.leased(SUBSCRIPTION) == 1


async def test_a_longer_retention_counts_at_once(pubsub: Calls) -> None:
    await pubsub.subscribe(message_retention_duration={"seconds": 600})
    await pubsub.publish()
    await pubsub.update(
        ["message_retention_duration"], message_retention_duration={"seconds": 31 * DAY}
    )
    await pubsub.clock.advance(31 * DAY - 1)
    assert len(await pubsub.pull()) == 1
    await pubsub.clock.advance(1)
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def test_a_topic_s_retention_prolongs_the_subscription_s(pubsub: Calls) -> None:
    topic = "projects/p/topics/kept"
    await pubsub.topic(topic, message_retention_duration={"seconds": 3 * DAY})
    await pubsub.subscribe(topic=topic, message_retention_duration={"seconds": 600})
    await pubsub.publish(topic=topic)
    await pubsub.clock.advance(2 * DAY)
    assert len(await pubsub.pull()) == 1


async def test_a_topic_s_retention_may_be_set_later(pubsub: Calls) -> None:
    await pubsub.subscribe(message_retention_duration={"seconds": 600})
    await pubsub.publish()
    request = types.UpdateTopicRequest(
        topic={"name": TOPIC, "message_retention_duration": {"seconds": DAY}},
        update_mask={"paths": ["message_retention_duration"]},
    )
    await pubsub.call("UpdateTopic", request)
    await pubsub.clock.advance(DAY - 1)
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 1
    await pubsub.clock.advance(1)
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def test_seeking_back_brings_back_what_was_acknowledged(pubsub: Calls) -> None:
    await pubsub.subscribe(retain_acked_messages=True)
    for name in (b"first", b"second", b"third"):
        await pubsub.publish(name)
        await pubsub.clock.advance(60)
    await pubsub.acknowledge(*await pubsub.pull())
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0
    await pubsub.seek(seconds_ago=120)
    assert await pubsub.payloads() == [b"second", b"third"]


async def test_seeking_to_a_message_s_own_time_brings_it_back(pubsub: Calls) -> None:
    await pubsub.subscribe()
    for number in range(100):
        await pubsub.clock.advance(0.001)
        await pubsub.publish(b"%d" % number)
        [received] = await pubsub.pull()
        time = received.message.publish_time
        request = types.SeekRequest(subscription=SUBSCRIPTION)
        types.SeekRequest.pb(request).time.CopyFrom(time)
        await pubsub.call("Seek", request)
        [received] = await pubsub.pull()
        assert received.message.data == b"%d" % number
        await pubsub.acknowledge(received)


async def test_seeking_forward_acknowledges_what_is_older(pubsub: Calls) -> None:
    await pubsub.subscribe()
    for name in (b"first", b"second"):
        await pubsub.publish(name)
        await pubsub.clock.advance(60)
    await pubsub.seek(seconds_ago=60)
    assert await pubsub.payloads() == [b"second"]


async def test_seeking_ahead_of_time_discards_until_then(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.seek(seconds_ago=-60)
    await pubsub.publish(b"discarded")
    await pubsub.clock.advance(60)
    await pubsub.publish(b"kept")
    assert await pubsub.payloads() == [b"kept"]


async def test_without_retained_acknowledgements_seeking_brings_nothing_back(
    pubsub: Calls,
) -> None:
    await pubsub.subscribe()
    await pubsub.publish()
    await pubsub.acknowledge(*await pubsub.pull())
    await pubsub.seek(seconds_ago=3600)
    assert await pubsub.pull() == []


async def test_a_retained_topic_serves_what_was_published_before_the_subscription(
    pubsub: Calls,
) -> None:
    topic = "projects/p/topics/kept"
    await pubsub.topic(topic, message_retention_duration={"seconds": DAY})
    for name in (b"too old", b"older", b"filtered", b"old"):
        await pubsub.publish(name, topic, k="no" if name == b"filtered" else "yes")
        await pubsub.clock.advance(DAY / 4)
    await pubsub.subscribe(topic=topic, filter='attributes.k = "yes"')
    await pubsub.seek(seconds_ago=31 * DAY)
    assert await pubsub.payloads() == [b"older", b"old"]


async def test_seeking_ends_leases(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish(b"again")
    [received] = await pubsub.pull()
    await pubsub.seek(seconds_ago=60)
    await pubsub.acknowledge(received)
    assert await pubsub.payloads() == [b"again"]
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 1


async def test_acknowledged_messages_go_once_they_are_no_longer_retained(pubsub: Calls) -> None:
    await pubsub.subscribe(retain_acked_messages=True)
    await pubsub.publish()
    await pubsub.acknowledge(*await pubsub.pull())
    await pubsub.update(["retain_acked_messages"], retain_acked_messages=False)
    await pubsub.seek(seconds_ago=60)
    assert await pubsub.pull() == []


async def test_retained_acknowledgements_expire_too(pubsub: Calls) -> None:
    await pubsub.subscribe(retain_acked_messages=True, message_retention_duration={"seconds": 600})
    await pubsub.publish()
    await pubsub.acknowledge(*await pubsub.pull())
    await pubsub.clock.advance(600)
    await pubsub.seek(seconds_ago=3600)
    assert await pubsub.pull() == []
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.just(0)),
        st.tuples(st.just("pull"), st.integers(1, 3)),
        st.tuples(st.sampled_from(["acknowledge", "nack", "extend"]), st.integers(0, 5)),
        st.tuples(st.just("advance"), st.integers(1, 12)),
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
async def test_nothing_is_lost_and_nothing_acknowledged_returns(
    steps: list[tuple[str, int]],
) -> None:
    clock = ManualClock()
    pubsub = Calls(clock, PubSub(clock, sender=Endpoint()))
    await pubsub.topic()
    await pubsub.subscribe(ack_deadline_seconds=10)
    published: set[str] = set()
    acknowledged: set[str] = set()
    held: list[tuple[float, object]] = []
    for step, number in steps:
        held = [(until, each) for until, each in held if until > clock.time()]
        if step == "publish":
            published.add(await pubsub.publish())
        elif step == "pull":
            received = await pubsub.pull(number)
            ids = {each.message.message_id for each in received}
            assert len(ids) == len(received)
            assert not ids & acknowledged
            assert not ids & {each.message.message_id for _, each in held}  # type: ignore[attr-defined]
            held += [(clock.time() + 10, each) for each in received]
        elif step == "advance":
            await clock.advance(number)
        elif held:
            _, each = held.pop(number % len(held))
            if step == "acknowledge":
                acknowledged.add(each.message.message_id)  # type: ignore[attr-defined]
                await pubsub.acknowledge(each)
            elif step == "nack":
                await pubsub.nack(each)
            else:
                await pubsub.modify(60, each)
                held.append((clock.time() + 60, each))
    await clock.advance(60)
    rest = {each.message.message_id for each in await pubsub.pull()}
    assert rest == published - acknowledged
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == len(rest)
    await pubsub.pubsub.close()


async def test_counts_of_missing_topics_and_subscriptions_are_refused(pubsub: Calls) -> None:
    assert pubsub.pubsub.published(TOPIC) == []
    with refused(grpc.StatusCode.NOT_FOUND):
        pubsub.pubsub.backlog("projects/p/subscriptions/missing")
    with refused(grpc.StatusCode.NOT_FOUND):
        pubsub.pubsub.published("projects/p/topics/missing")
