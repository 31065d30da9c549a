"""What an emulator may lack, found out by asking it.

A test that needs more than publishing and pulling names what it needs; on an emulator without it
the test is skipped under that name.
"""

import threading
from collections.abc import Callable

import pytest
from google.api_core.exceptions import GoogleAPICallError, InvalidArgument, NotFound
from google.cloud.pubsub_v1.types import FlowControl

from tests.contract.pubsub.endpoint import PushEndpoint
from tests.contract.pubsub.space import Space

Probe = Callable[[Space], bool]
# Long enough for what is to come at once or after a second; an emulator that lacks it costs this.
_PATIENCE_SECONDS = 8.0


def _redelivery(space: Space) -> bool:
    topic = space.topic()
    subscription = space.subscription(topic)
    space.publish(topic)
    space.modify(subscription, 1, space.pull_one(subscription))
    return bool(space.pull(subscription, within=_PATIENCE_SECONDS))


def _nack(space: Space) -> bool:
    topic = space.topic()
    subscription = space.subscription(topic)
    space.publish(topic)
    space.modify(subscription, 0, space.pull_one(subscription))
    return bool(space.pull(subscription, within=_PATIENCE_SECONDS))


def _retry_policy(space: Space) -> bool:
    topic = space.topic()
    wait = {"seconds": 600}
    policy = {"minimum_backoff": wait, "maximum_backoff": wait}
    subscription = space.subscription(topic, retry_policy=policy)
    space.publish(topic, b"nacked")
    space.modify(subscription, 0, space.pull_one(subscription))
    return space.settle(topic, subscription) == []


def _filters(space: Space) -> bool:
    topic = space.topic()
    subscription = space.subscription(topic, filter="attributes:settle")
    space.publish(topic, b"not wanted")
    return space.settle(topic, subscription) == []


def _validation(space: Space) -> bool:
    topic = space.topic()
    try:
        space.subscription(topic, filter="attributes.k ==")
    except InvalidArgument:
        pass
    else:
        return False
    try:
        space.publish(topic, b"x", **{"k" * 257: "v"})
    except InvalidArgument:
        return True
    return False


def _dead_letters(space: Space) -> bool:
    topic, dead = space.topic(), space.topic("dead")
    space.subscription(dead, "mourner")
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = space.subscription(topic, dead_letter_policy=policy)
    space.publish(topic)
    for _ in range(5):
        received = space.pull(subscription, within=_PATIENCE_SECONDS)
        if not received:
            return False
        space.modify(subscription, 0, *received)
    mourner = f"{space.project}/subscriptions/mourner"
    return bool(space.pull(mourner, within=_PATIENCE_SECONDS))


def _push(space: Space) -> bool:
    topic = space.topic()
    with PushEndpoint() as endpoint:
        subscription = space.subscription(topic, push_config={"push_endpoint": endpoint.url})
        space.publish(topic)
        pushed = bool(endpoint.wait(1, _PATIENCE_SECONDS))
        space.subscriber.delete_subscription(subscription=subscription)
    return pushed


def _push_identity(space: Space) -> bool:
    topic = space.topic()
    with PushEndpoint() as endpoint:
        config = {
            "push_endpoint": endpoint.url,
            "oidc_token": {"service_account_email": "push@example.iam.gserviceaccount.com"},
        }
        subscription = space.subscription(topic, push_config=config)
        space.publish(topic)
        pushes = endpoint.wait(1, _PATIENCE_SECONDS)
        space.subscriber.delete_subscription(subscription=subscription)
    return bool(pushes) and "authorization" in pushes[0].headers


def _push_unwrapped(space: Space) -> bool:
    topic = space.topic()
    with PushEndpoint() as endpoint:
        config = {"push_endpoint": endpoint.url, "no_wrapper": {"write_metadata": True}}
        subscription = space.subscription(topic, push_config=config)
        space.publish(topic, b"bare")
        pushes = endpoint.wait(1, _PATIENCE_SECONDS)
        space.subscriber.delete_subscription(subscription=subscription)
    return bool(pushes) and pushes[0].body == b"bare"


def _seek(space: Space) -> bool:
    topic = space.topic(message_retention_duration={"seconds": 600})
    space.publish(topic)
    subscription = space.subscription(topic)
    space.subscriber.seek(request={"subscription": subscription, "time": {"seconds": 1}})
    return bool(space.pull(subscription, within=_PATIENCE_SECONDS))


def _snapshots(space: Space) -> bool:
    topic = space.topic(message_retention_duration={"seconds": 600})
    reader, copy = space.subscription(topic), space.subscription(topic, "copy")
    space.publish(topic, b"acknowledged")
    space.acknowledge(reader, space.pull_one(reader))
    name = f"{space.project}/snapshots/s-1"
    try:
        space.subscriber.create_snapshot(request={"name": name, "subscription": reader})
        space.subscriber.seek(request={"subscription": copy, "snapshot": name})
    except GoogleAPICallError:
        return False
    return space.settle(topic, copy) == []


def _stream_flow_control(space: Space) -> bool:
    topic = space.topic()
    subscription = space.subscription(topic)
    held = threading.Event()
    stream = space.subscriber.subscribe(
        subscription, callback=lambda _: held.set(), flow_control=FlowControl(max_messages=1)
    )
    for _ in range(2):
        space.publish(topic)
    left = held.wait(_PATIENCE_SECONDS) and bool(space.pull(subscription, within=_PATIENCE_SECONDS))
    stream.cancel()
    stream.result(_PATIENCE_SECONDS)
    return left


def _stream_end(space: Space) -> bool:
    subscription = space.subscription(space.topic())
    stream = space.subscriber.subscribe(subscription, callback=lambda _: None)
    space.subscriber.delete_subscription(subscription=subscription)
    try:
        stream.result(_PATIENCE_SECONDS)
    except NotFound:
        return True
    except TimeoutError:
        stream.cancel()
    return False


PROBES: dict[str, Probe] = {
    "redelivery": _redelivery,
    "nack": _nack,
    "retry-policy": _retry_policy,
    "filters": _filters,
    "validation": _validation,
    "dead-letters": _dead_letters,
    "push": _push,
    "push-identity": _push_identity,
    "push-unwrapped": _push_unwrapped,
    "seek": _seek,
    "snapshots": _snapshots,
    "stream-flow-control": _stream_flow_control,
    "stream-end": _stream_end,
}


class Capabilities:
    """What one emulator has; each capability is probed once, in a project of its own."""

    def __init__(self, make_space: Callable[[], Space], *, embedded: bool) -> None:
        self._make_space = make_space
        self._embedded = embedded
        self._found: dict[str, bool] = {}

    def require(self, *names: str) -> None:
        """Skip the test unless the emulator has all of these; the embedded one must have them."""
        lacking = [name for name in names if not self._has(name)]
        if lacking and self._embedded:
            pytest.fail(f"the embedded emulator lacks: {', '.join(lacking)}")
        if lacking:
            pytest.skip(f"emulator lacks: {', '.join(lacking)}")

    def _has(self, name: str) -> bool:
        if name not in self._found:
            self._found[name] = self._probe(name)
        return self._found[name]

    def _probe(self, name: str) -> bool:
        try:
            return PROBES[name](self._make_space())
        except (GoogleAPICallError, AssertionError):
            # An emulator says in many ways that it does not know a method, or not this use of it.
            return False
