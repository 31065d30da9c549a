from typing import Any

import grpc
import pytest
from google.pubsub_v1 import types

from tests.support.pubsub import SUBSCRIPTION, TOPIC, Calls, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def _publish(pubsub: Calls, *messages: dict[str, Any]) -> Any:
    return await pubsub.call("Publish", types.PublishRequest(topic=TOPIC, messages=messages))


async def test_a_topic_is_created_read_and_deleted(pubsub: Calls) -> None:
    name = "projects/p/topics/another"
    created = await pubsub.topic(name, labels={"team": "blue"})
    assert created.labels == {"team": "blue"}
    assert types.Topic.deserialize(created.SerializeToString()).state == types.Topic.State.ACTIVE
    assert await pubsub.call("GetTopic", types.GetTopicRequest(topic=name)) == created
    await pubsub.call("DeleteTopic", types.DeleteTopicRequest(topic=name))
    with refused(NOT_FOUND, match="another"):
        await pubsub.call("GetTopic", types.GetTopicRequest(topic=name))


async def test_what_is_returned_is_a_copy(pubsub: Calls) -> None:
    (await pubsub.call("GetTopic", types.GetTopicRequest(topic=TOPIC))).labels["a"] = "b"
    assert not (await pubsub.call("GetTopic", types.GetTopicRequest(topic=TOPIC))).labels


@pytest.mark.parametrize(
    "name",
    [
        "",
        "events",
        "projects/p/topics/",
        "projects/p/topics/" + "a" * 256,
        "projects/p/subscriptions/events",
        "projects//topics/events",
        "projects/p/topics/events\n",
    ],
)
async def test_a_topic_needs_a_valid_name(pubsub: Calls, name: str) -> None:
    with refused(INVALID, match="name"):
        await pubsub.topic(name)


@pytest.mark.parametrize(
    "fields",
    [
        {"message_retention_duration": {"seconds": 599}},
        {"message_retention_duration": {"seconds": 31 * 86400 + 1}},
        {"labels": {"Team": "blue"}},
        {"labels": {"team": "Blue!"}},
    ],
)
async def test_a_topic_s_settings_have_bounds(pubsub: Calls, fields: dict[str, Any]) -> None:
    with refused(INVALID):
        await pubsub.topic("projects/p/topics/another", **fields)


async def test_what_is_not_imitated_is_refused(pubsub: Calls) -> None:
    with refused(grpc.StatusCode.UNIMPLEMENTED, match="schema_settings"):
        await pubsub.topic("projects/p/topics/another", schema_settings={"schema": "s"})
    transform = {"javascript_udf": {"function_name": "f", "code": ""}}
    with refused(grpc.StatusCode.UNIMPLEMENTED, match="message_transforms"):
        await pubsub.topic("projects/p/topics/another", message_transforms=[transform])


async def test_an_update_changes_what_the_mask_names(pubsub: Calls) -> None:
    changed = await pubsub.call(
        "UpdateTopic",
        types.UpdateTopicRequest(
            topic={
                "name": TOPIC,
                "labels": {"a": "b"},
                "message_retention_duration": {"seconds": 600},
            },
            update_mask={"paths": ["labels"]},
        ),
    )
    assert changed.labels == {"a": "b"}
    assert not changed.HasField("message_retention_duration")


@pytest.mark.parametrize("paths", [[], ["name"], ["nonsense"], ["messageRetentionDuration"]])
async def test_an_update_needs_a_mask_of_mutable_fields(pubsub: Calls, paths: list[str]) -> None:
    request = types.UpdateTopicRequest(topic={"name": TOPIC}, update_mask={"paths": paths})
    with refused(INVALID, match="update_mask"):
        await pubsub.call("UpdateTopic", request)


async def test_topics_are_listed_in_pages_by_project(pubsub: Calls) -> None:
    await pubsub.topic("projects/p/topics/alpha")
    await pubsub.topic("projects/q/topics/other")
    first = await pubsub.call(
        "ListTopics", types.ListTopicsRequest(project="projects/p", page_size=1)
    )
    second = await pubsub.call(
        "ListTopics",
        types.ListTopicsRequest(
            project="projects/p", page_size=1, page_token=first.next_page_token
        ),
    )
    assert [topic.name for topic in first.topics] == ["projects/p/topics/alpha"]
    assert [topic.name for topic in second.topics] == [TOPIC]
    assert second.next_page_token == ""
    with refused(INVALID, match="page_size"):
        await pubsub.call("ListTopics", types.ListTopicsRequest(project="projects/p", page_size=-1))


async def test_messages_get_ids_and_a_time_in_milliseconds(pubsub: Calls) -> None:
    await pubsub.clock.advance(0.123456)
    reply = await _publish(pubsub, {"data": b"a"}, {"attributes": {"k": "v"}})
    stored = pubsub.pubsub.published(TOPIC)
    assert list(reply.message_ids) == [message.message_id for message in stored]
    assert len(set(reply.message_ids)) == 2
    assert stored[0].publish_time.ToJsonString() == "2027-01-15T08:00:00.123Z"
    assert pubsub.pubsub.published_count(TOPIC) == 2


@pytest.mark.parametrize(
    "message",
    [
        {"ordering_key": "k"},
        {"data": b"x", "attributes": {"": "v"}},
        {"data": b"x", "attributes": {"é" * 129: "v"}},
        {"data": b"x", "attributes": {"k": "é" * 513}},
        {"data": b"x", "ordering_key": "k" * 1025},
    ],
)
async def test_a_message_out_of_bounds_is_refused(pubsub: Calls, message: dict[str, Any]) -> None:
    with refused(INVALID):
        await _publish(pubsub, {"data": b"fine"}, message)
    assert pubsub.pubsub.published_count(TOPIC) == 0


async def test_a_message_at_its_bounds_is_taken(pubsub: Calls) -> None:
    attributes = {f"{n:03d}" + "k" * 253: "v" * 1024 for n in range(100)}
    await _publish(pubsub, {"data": b"x", "attributes": attributes, "ordering_key": "k" * 1024})
    assert pubsub.pubsub.published(TOPIC)[0].attributes == attributes


async def test_a_request_holds_a_message(pubsub: Calls) -> None:
    with refused(INVALID, match="message_count"):
        await _publish(pubsub)


async def test_only_the_newest_messages_are_remembered(pubsub: Calls) -> None:
    for _ in range(3):
        await _publish(pubsub, *[{"data": b"x"}] * 500)
    assert len(pubsub.pubsub.published(TOPIC)) == 1000
    assert pubsub.pubsub.published_count(TOPIC) == 1500


async def test_a_deleted_topic_leaves_its_subscriptions_what_they_have(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish(b"last")
    await pubsub.call("DeleteTopic", types.DeleteTopicRequest(topic=TOPIC))
    reply = await pubsub.call(
        "GetSubscription", types.GetSubscriptionRequest(subscription=SUBSCRIPTION)
    )
    assert reply.topic == "_deleted-topic_"
    assert await pubsub.payloads() == [b"last"]
