from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.pubsub_v1 import types

from tests.contract.pubsub.space import Space

Requires = Callable[..., None]


def test_a_topic_is_created_listed_and_deleted(space: Space) -> None:
    topic = space.topic()
    assert space.publisher.get_topic(topic=topic).name == topic
    assert [each.name for each in space.publisher.list_topics(project=space.project)] == [topic]
    space.publisher.delete_topic(topic=topic)
    with pytest.raises(NotFound):
        space.publisher.get_topic(topic=topic)


def test_creating_twice_is_refused(space: Space) -> None:
    topic = space.topic()
    space.subscription(topic)
    with pytest.raises(AlreadyExists):
        space.topic()
    with pytest.raises(AlreadyExists):
        space.subscription(topic)


def test_what_does_not_exist_is_not_found(space: Space) -> None:
    missing = f"{space.project}/topics/missing"
    with pytest.raises(NotFound):
        space.api.publish(topic=missing, messages=[types.PubsubMessage(data=b"x")])
    with pytest.raises(NotFound):
        space.subscription(missing)
    with pytest.raises(NotFound):
        space.subscriber.get_subscription(subscription=f"{space.project}/subscriptions/missing")


def test_a_message_arrives_as_it_was_published(space: Space) -> None:
    topic = space.topic()
    subscription = space.subscription(topic)
    data = bytes(range(256))
    message_id = space.publish(topic, data, **{"ce-type": "batch.succeeded", "empty": ""})
    message = space.pull_one(subscription).message
    assert message.data == data
    assert dict(message.attributes) == {"ce-type": "batch.succeeded", "empty": ""}
    assert message.message_id == message_id
    assert message.publish_time is not None


def test_lists_come_in_pages(space: Space) -> None:
    topic = space.topic()
    names = [space.subscription(topic, f"reader-{number}") for number in range(5)]
    request: dict[str, Any] = {"project": space.project, "page_size": 2}
    listed = space.subscriber.list_subscriptions(request=request)
    assert [each.name for each in listed] == names


@pytest.mark.parametrize(
    "message",
    [
        {"data": b""},
        {"data": b"x", "attributes": {"k" * 257: "v"}},
        {"data": b"x", "attributes": {"k": "v" * 1025}},
        {"data": b"x", "attributes": {f"k{number}": "v" for number in range(101)}},
        {"data": b"x", "attributes": {"goog-key": "v"}},
    ],
)
def test_a_message_out_of_bounds_is_refused(
    space: Space, requires: Requires, message: dict[str, Any]
) -> None:
    requires("validation")
    topic = space.topic()
    with pytest.raises(InvalidArgument):
        space.api.publish(topic=topic, messages=[types.PubsubMessage(message)])


def test_a_request_out_of_bounds_is_refused(space: Space, requires: Requires) -> None:
    requires("validation")
    topic = space.topic()
    with pytest.raises(InvalidArgument):
        space.api.publish(topic=topic, messages=[types.PubsubMessage(data=b"x")] * 1001)
    with pytest.raises(InvalidArgument):
        space.api.publish(topic=topic, messages=[types.PubsubMessage(data=b"x" * 10_000_001)])


@pytest.mark.parametrize("name", ["ab", "1abc", "google-events", "a b"])
def test_a_name_out_of_bounds_is_refused(space: Space, requires: Requires, name: str) -> None:
    requires("validation")
    with pytest.raises(InvalidArgument):
        space.topic(name)
