"""Google's own REST client against the embedded Pub/Sub, at the address that gRPC has too."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx2
import pytest
from google.api_core.exceptions import BadRequest, Conflict, MethodNotImplemented, NotFound
from google.auth.credentials import AnonymousCredentials
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.publisher.transports import (
    PublisherGrpcTransport,
    PublisherRestTransport,
)
from google.pubsub_v1.services.subscriber.transports import SubscriberRestTransport
from google.rpc.status_pb2 import Status

from localcloud.core.clock import SystemClock
from localcloud.core.front import Front
from localcloud.core.rpc import Call, RpcError
from localcloud.pubsub import PubSub
from localcloud.pubsub.rest import rules
from tests.support.loop_thread import LoopThread
from tests.support.pubsub import SUBSCRIPTION, TOPIC

FIELDS = "projects/p/topics/a.b~c+d%e"
PROTOBUF = {"content-type": "application/x-protobuf"}


@dataclass
class Served:
    """A Pub/Sub at an address, and what a guard has seen of it."""

    address: str
    calls: list[Call]
    publisher: PublisherClient
    subscriber: SubscriberClient

    def http(self, method: str, path: str, **given: Any) -> httpx2.Response:
        return httpx2.request(method, f"http://{self.address}{path}", trust_env=False, **given)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    calls: list[Call] = []

    async def guard(call: Call) -> None:
        calls.append(call)
        if call.metadata.get("x-refuse"):
            raise RpcError(grpc.StatusCode.PERMISSION_DENIED, "no right")

    with LoopThread() as thread:

        async def start() -> tuple[PubSub, Front]:
            pubsub = PubSub(SystemClock())
            front = Front(pubsub.services, rules(), guard=guard)
            await front.open()
            return pubsub, front

        pubsub, front = thread.run(start())
        rest: dict[str, Any] = {
            "host": front.address,
            "url_scheme": "http",
            "credentials": AnonymousCredentials(),
        }
        publisher = PublisherClient(transport=PublisherRestTransport(**rest))
        subscriber = SubscriberClient(transport=SubscriberRestTransport(**rest))
        with publisher, subscriber:
            yield Served(front.address, calls, publisher, subscriber)
        thread.run(front.close())
        thread.run(pubsub.close())


@pytest.fixture(autouse=True)
def empty(served: Served) -> Iterator[None]:
    yield
    for topic in served.publisher.list_topics(project="projects/p"):
        served.publisher.delete_topic(topic=topic.name)
    for subscription in served.subscriber.list_subscriptions(project="projects/p"):
        served.subscriber.delete_subscription(subscription=subscription.name)


def test_a_topic_from_its_creation_to_its_deletion(served: Served) -> None:
    labels = {"team": "blue"}
    made = served.publisher.create_topic(types.Topic(name=TOPIC, labels=labels))
    assert served.publisher.get_topic(topic=TOPIC) == made
    assert made.state == types.Topic.State.ACTIVE
    with pytest.raises(Conflict):
        served.publisher.create_topic(name=TOPIC)
    changed = types.Topic(name=TOPIC, message_retention_duration=timedelta(hours=1))
    request = types.UpdateTopicRequest(
        topic=changed, update_mask={"paths": ["message_retention_duration"]}
    )
    updated = served.publisher.update_topic(request)
    assert (updated.message_retention_duration, updated.labels) == (timedelta(hours=1), labels)
    served.publisher.create_topic(name=FIELDS)
    paged = types.ListTopicsRequest(project="projects/p", page_size=1)
    assert [each.name for each in served.publisher.list_topics(paged)] == sorted([FIELDS, TOPIC])
    served.publisher.delete_topic(topic=TOPIC)
    with pytest.raises(NotFound, match="events"):
        served.publisher.get_topic(topic=TOPIC)


def test_messages_are_published_pulled_returned_and_acknowledged(served: Served) -> None:
    served.publisher.create_topic(name=TOPIC, retry=None)
    served.subscriber.create_subscription(
        types.Subscription(name=SUBSCRIPTION, topic=TOPIC, filter="attributes:kind")
    )
    message = types.PubsubMessage(data=b"\x00\xff", attributes={"kind": "ä"})
    [identifier] = served.publisher.publish(topic=TOPIC, messages=[message]).message_ids

    [first] = pulled(served)
    assert (first.message.data, dict(first.message.attributes)) == (b"\x00\xff", {"kind": "ä"})
    assert first.message.message_id == identifier
    assert abs(datetime.now(UTC) - first.message.publish_time) < timedelta(minutes=5)
    served.subscriber.modify_ack_deadline(
        subscription=SUBSCRIPTION, ack_ids=[first.ack_id], ack_deadline_seconds=0
    )
    [again] = pulled(served)
    served.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[again.ack_id])
    assert pulled(served) == []


def test_a_subscription_is_sought(served: Served) -> None:
    start = datetime.now(UTC) - timedelta(minutes=5)
    served.publisher.create_topic(
        types.Topic(name=TOPIC, message_retention_duration=timedelta(hours=1))
    )
    served.publisher.publish(topic=TOPIC, messages=[types.PubsubMessage(data=b"x")])
    served.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    assert pulled(served) == []
    served.subscriber.seek(types.SeekRequest(subscription=SUBSCRIPTION, time=start))
    assert [each.message.data for each in pulled(served)] == [b"x"]


def pulled(served: Served) -> list[types.ReceivedMessage]:
    request = {"returnImmediately": True, "maxMessages": 10}
    answer = served.http("POST", f"/v1/{SUBSCRIPTION}:pull", json=request)
    return list(types.PullResponse.from_json(answer.text).received_messages)


def test_both_protocols_see_the_same(served: Served) -> None:
    served.publisher.create_topic(name=TOPIC)
    with grpc.insecure_channel(served.address) as channel:
        client = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        assert client.get_topic(topic=TOPIC).name == TOPIC


def test_what_is_wrong_is_refused_as_at_google(served: Served) -> None:
    with pytest.raises(BadRequest):
        served.publisher.create_topic(name="projects/p/topics/goog-x")
    with pytest.raises(MethodNotImplemented):
        list(served.publisher.list_topic_subscriptions(topic=TOPIC))
    answer = served.http("PUT", f"/v1/{TOPIC}", json={"labels": 1})
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    for body in (b"{", b"[]", b'{"unknown": 1}'):
        assert served.http("PUT", f"/v1/{TOPIC}", content=body).status_code == 400
    for method, path in (("GET", "/v2/x"), ("POST", f"/v1/{TOPIC}"), ("GET", "/v1/projects/p")):
        answer = served.http(method, path)
        assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_enums_are_numbers_for_a_client_that_asks(served: Served) -> None:
    served.publisher.create_topic(name=TOPIC)
    plain = served.http("GET", f"/v1/{TOPIC}?alt=json&prettyPrint=false")
    numbers = served.http("GET", f"/v1/{TOPIC}?%24alt=json%3Benum-encoding%3Dint")
    assert (plain.json()["state"], numbers.json()["state"]) == ("ACTIVE", 1)


def test_a_guard_sees_every_call(served: Served) -> None:
    served.calls.clear()
    answer = served.http("GET", f"/v1/{TOPIC}", headers={"x-refuse": "1"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    [call] = served.calls
    assert call.method == "google.pubsub.v1.Publisher/GetTopic"
    assert getattr(call.request, "topic", "") == TOPIC


def test_the_protobuf_fallback_of_javascript_clients(served: Served) -> None:
    path = "/$rpc/google.pubsub.v1.Publisher/CreateTopic"
    topic = types.Topic.serialize(types.Topic(name=TOPIC))
    made = served.http("POST", path, content=topic, headers=PROTOBUF)
    assert types.Topic.deserialize(made.content).name == TOPIC
    assert made.headers["content-type"] == PROTOBUF["content-type"]
    again = served.http("POST", path, content=topic, headers=PROTOBUF)
    assert (again.status_code, Status.FromString(again.content).code) == (409, 6)
    for wrong, content in (("/x", topic), ("", b"\xff")):
        answer = served.http("POST", path + wrong, content=content, headers=PROTOBUF)
        assert answer.status_code in (400, 501)


def test_the_address_answers_what_asks_whether_it_is_up(served: Served) -> None:
    assert served.http("GET", "/").text == "Ok"


async def test_it_opens_again_at_the_same_addresses() -> None:
    front = Front({}, ())
    await front.open()
    before = front.address, front.direct
    host, _, port = front.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await front.close()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection(host, int(port))
    await front.open()
    assert (front.address, front.direct) == before
    with pytest.raises(OSError, match=r"in use"):
        await Front({}, (), port=int(port)).open()
    await front.close()
