"""Calling the embedded Pub/Sub's methods in-process, without gRPC."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.pubsub_v1 import types

from localcloud.core.clock import ManualClock
from localcloud.core.rpc import RpcError
from localcloud.pubsub import PubSub
from localcloud.pubsub.envelope import PushRequest

TOPIC = "projects/p/topics/events"
DEAD_TOPIC = "projects/p/topics/dead"
SUBSCRIPTION = "projects/p/subscriptions/reader"
DEAD_SUBSCRIPTION = "projects/p/subscriptions/mourner"


class Calls:
    """An embedded Pub/Sub on a manual clock, and short names for what tests ask of it."""

    def __init__(self, clock: ManualClock, pubsub: PubSub) -> None:
        self.clock = clock
        self.pubsub = pubsub

    async def call(self, method: str, request: Any) -> Any:
        """Call a method by its short name with a proto-plus request; return the raw reply."""
        return await self._method(method).handler(type(request).pb(request))

    def stream(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async def raw() -> AsyncIterator[Any]:
            async for request in requests:
                yield type(request).pb(request)

        replies: AsyncIterator[Any] = self._method("StreamingPull").handler(raw())
        return replies

    async def topic(self, name: str = TOPIC, **fields: Any) -> Any:
        return await self.call("CreateTopic", types.Topic(name=name, **fields))

    async def subscribe(self, name: str = SUBSCRIPTION, topic: str = TOPIC, **fields: Any) -> Any:
        return await self.call(
            "CreateSubscription", types.Subscription(name=name, topic=topic, **fields)
        )

    async def update(self, mask: list[str], name: str = SUBSCRIPTION, **fields: Any) -> Any:
        request = types.UpdateSubscriptionRequest(
            subscription=types.Subscription(name=name, **fields), update_mask={"paths": mask}
        )
        return await self.call("UpdateSubscription", request)

    async def publish(self, data: bytes = b"x", topic: str = TOPIC, **attributes: str) -> str:
        message = types.PubsubMessage(data=data, attributes=attributes)
        reply = await self.call("Publish", types.PublishRequest(topic=topic, messages=[message]))
        return str(reply.message_ids[0])

    async def pull(self, count: int = 1000, name: str = SUBSCRIPTION) -> list[Any]:
        """Return what is there now; waits for nothing."""
        reply = await self.call(
            "Pull",
            types.PullRequest(subscription=name, max_messages=count, return_immediately=True),
        )
        return list(reply.received_messages)

    async def payloads(self, name: str = SUBSCRIPTION) -> list[bytes]:
        """Pull what is there now, and return its data."""
        return [received.message.data for received in await self.pull(name=name)]

    async def acknowledge(self, *received: Any, name: str = SUBSCRIPTION) -> None:
        ack_ids = [each.ack_id for each in received]
        await self.call("Acknowledge", types.AcknowledgeRequest(subscription=name, ack_ids=ack_ids))

    async def modify(self, seconds: int, *received: Any, name: str = SUBSCRIPTION) -> None:
        ack_ids = [each.ack_id for each in received]
        await self.call(
            "ModifyAckDeadline",
            types.ModifyAckDeadlineRequest(
                subscription=name, ack_ids=ack_ids, ack_deadline_seconds=seconds
            ),
        )

    async def nack(self, *received: Any, name: str = SUBSCRIPTION) -> None:
        await self.modify(0, *received, name=name)

    async def seek(self, seconds_ago: float, name: str = SUBSCRIPTION) -> None:
        request = types.SeekRequest.pb()(subscription=name)
        request.time.FromNanoseconds(int((self.clock.time() - seconds_ago) * 1e9))
        await self._method("Seek").handler(request)

    def _method(self, name: str) -> Any:
        for service in self.pubsub.services.values():
            if name in service:
                return service[name]
        raise LookupError(name)


class Endpoint:
    """A push endpoint: keeps the requests it gets, and answers as told.

    `answer` maps the number of a request (from 0) to a status; without it, 204.
    """

    def __init__(self) -> None:
        self.requests: list[PushRequest] = []
        self.answer: Callable[[int], Awaitable[int]] | Mapping[int, int] = {}

    async def __call__(self, request: PushRequest) -> int:
        number = len(self.requests)
        self.requests.append(request)
        if callable(self.answer):
            return await self.answer(number)
        return self.answer.get(number, 204)


@contextmanager
def refused(code: grpc.StatusCode, match: str | None = None) -> Iterator[None]:
    """Expect the block to end with an `RpcError` of this code."""
    with pytest.raises(RpcError, match=match) as caught:
        yield
    assert caught.value.code is code
