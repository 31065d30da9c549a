import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.contract.pubsub.endpoint import PushEndpoint
from tests.contract.pubsub.space import Space

Requires = Callable[..., None]
EMAIL = "push@example.iam.gserviceaccount.com"


@contextmanager
def _pushing(
    space: Space,
    topic: str,
    statuses: Sequence[int] = (),
    config: dict[str, Any] | None = None,
    **fields: Any,
) -> Iterator[tuple[PushEndpoint, str]]:
    """An endpoint and a subscription that pushes to it, deleted before the endpoint goes."""
    with PushEndpoint(statuses) as endpoint:
        push_config = {"push_endpoint": endpoint.url, **(config or {})}
        subscription = space.subscription(topic, push_config=push_config, **fields)
        yield endpoint, subscription
        space.subscriber.delete_subscription(subscription=subscription)


def test_the_wrapped_envelope(space: Space, requires: Requires) -> None:
    requires("push")
    topic = space.topic()
    with _pushing(space, topic) as (endpoint, subscription):
        message_id = space.publish(topic, b"\x00data", k="v")
        [push] = endpoint.wait(1)
    message = push.envelope["message"]
    assert push.envelope["subscription"] == subscription
    assert "deliveryAttempt" not in push.envelope
    assert base64.b64decode(message["data"]) == b"\x00data"
    assert message["attributes"] == {"k": "v"}
    assert message["messageId"] == message["message_id"] == message_id
    assert message["publishTime"] == message["publish_time"]
    assert message["publishTime"].endswith("Z")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_2xx_status_acknowledges(space: Space, requires: Requires, status: int) -> None:
    requires("push")
    topic = space.topic()
    # The first message would be tried again before the last of the second one's attempts.
    with _pushing(space, topic, [status, 503, 503, 503]) as (endpoint, _):
        space.publish(topic, b"first")
        endpoint.wait(1)
        space.publish(topic, b"second")
        pushes = endpoint.wait(5)
    data = [base64.b64decode(push.envelope["message"]["data"]) for push in pushes]
    assert data == [b"first", *[b"second"] * 4]


@pytest.mark.parametrize("status", [400, 409, 429, 500, 503])
def test_any_other_status_is_tried_again(space: Space, requires: Requires, status: int) -> None:
    requires("push")
    topic = space.topic()
    with _pushing(space, topic, [status, status]) as (endpoint, _):
        message_id = space.publish(topic)
        pushes = endpoint.wait(3)
    assert [push.envelope["message"]["messageId"] for push in pushes] == [message_id] * 3


def test_an_endpoint_that_comes_up_late_gets_the_message(space: Space, requires: Requires) -> None:
    requires("push")
    topic = space.topic()
    with PushEndpoint() as gone:
        url = gone.url
    subscription = space.subscription(topic, push_config={"push_endpoint": url})
    space.publish(topic, b"patient")
    with PushEndpoint() as endpoint:
        changed = {"name": subscription, "push_config": {"push_endpoint": endpoint.url}}
        space.subscriber.update_subscription(
            request={"subscription": changed, "update_mask": {"paths": ["push_config"]}}
        )
        [push] = endpoint.wait(1)
        space.subscriber.delete_subscription(subscription=subscription)
    assert base64.b64decode(push.envelope["message"]["data"]) == b"patient"


def test_a_push_that_fails_too_often_is_a_dead_letter(space: Space, requires: Requires) -> None:
    requires("push", "dead-letters")
    topic, dead = space.topic(), space.topic("dead")
    mourner = space.subscription(dead, "mourner")
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    with _pushing(space, topic, [503] * 5, dead_letter_policy=policy) as (endpoint, _):
        space.publish(topic, b"hopeless")
        received = space.pull_one(mourner)
        pushes = endpoint.wait(5)
    assert [push.envelope["deliveryAttempt"] for push in pushes] == [1, 2, 3, 4, 5]
    assert received.message.data == b"hopeless"
    assert received.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


@pytest.mark.parametrize("audience", ["", "https://audience.example"])
def test_a_push_may_bear_an_identity(space: Space, requires: Requires, audience: str) -> None:
    requires("push", "push-identity")
    topic = space.topic()
    token = {"service_account_email": EMAIL, "audience": audience}
    with _pushing(space, topic, config={"oidc_token": token}) as (endpoint, _):
        space.publish(topic)
        [push] = endpoint.wait(1)
        url = endpoint.url
    scheme, _, jwt = push.headers["authorization"].partition(" ")
    payload = jwt.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert scheme == "Bearer"
    assert claims["email"] == EMAIL
    assert claims["aud"] == (audience or url)


def test_without_a_wrapper_the_body_is_the_data(space: Space, requires: Requires) -> None:
    requires("push", "push-unwrapped")
    topic = space.topic()
    config = {"no_wrapper": {"write_metadata": True}}
    with _pushing(space, topic, config=config) as (endpoint, subscription):
        message_id = space.publish(topic, b"bare", **{"ce-type": "batch.succeeded"})
        [push] = endpoint.wait(1)
    assert push.body == b"bare"
    assert push.headers["ce-type"] == "batch.succeeded"
    assert push.headers["x-goog-pubsub-message-id"] == message_id
    assert push.headers["x-goog-pubsub-subscription-name"] == subscription
    assert push.headers["x-goog-pubsub-publish-time"].endswith("Z")
