import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.pubsub_v1 import types

from localcloud.core.clock import ManualClock
from localcloud.core.rpc import RpcError
from localcloud.pubsub import PubSub
from tests.support.pubsub import DEAD_TOPIC, SUBSCRIPTION, TOPIC, Calls, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
END = object()


def _pull(pubsub: Calls, count: int = 10) -> asyncio.Future[Any]:
    request = types.PullRequest(subscription=SUBSCRIPTION, max_messages=count)
    return asyncio.ensure_future(pubsub.call("Pull", request))


async def test_a_pull_waits_for_a_message(pubsub: Calls) -> None:
    await pubsub.subscribe()
    pulling = _pull(pubsub)
    await pubsub.clock.advance(1)
    assert not pulling.done()
    await pubsub.publish(b"at last")
    [received] = (await pulling).received_messages
    assert received.message.data == b"at last"


async def test_a_pull_returns_nothing_after_its_wait(pubsub: Calls) -> None:
    await pubsub.subscribe()
    pulling = _pull(pubsub)
    await pubsub.clock.advance(5)
    assert list((await pulling).received_messages) == []


async def test_a_pull_takes_no_more_than_asked(pubsub: Calls) -> None:
    await pubsub.subscribe()
    for _ in range(5):
        await pubsub.publish()
    assert len(await pubsub.pull(2)) == 2
    assert len(await pubsub.pull(100)) == 3


@pytest.mark.parametrize("count", [0, -1])
async def test_a_pull_for_no_messages_is_refused(pubsub: Calls, count: int) -> None:
    await pubsub.subscribe()
    with refused(INVALID, match="max_messages"):
        await pubsub.pull(count)


async def test_an_answer_is_bounded_in_bytes(pubsub: Calls) -> None:
    await pubsub.subscribe()
    for _ in range(6):
        await pubsub.publish(b"x" * 4_000_000)
    assert len(await pubsub.pull()) == 3
    assert len(await pubsub.pull()) == 3


async def test_waiting_pulls_are_served_in_order(pubsub: Calls) -> None:
    await pubsub.subscribe()
    pulls = [_pull(pubsub, 1) for _ in range(3)]
    await pubsub.clock.advance(0)
    for name in (b"a", b"b", b"c"):
        await pubsub.publish(name)
    got = [(await pull).received_messages[0].message.data for pull in pulls]
    assert got == [b"a", b"b", b"c"]


async def test_a_cancelled_pull_leaves_the_message_to_the_next(pubsub: Calls) -> None:
    await pubsub.subscribe()
    first, second = _pull(pubsub), _pull(pubsub)
    await pubsub.clock.advance(0)
    await pubsub.publish()
    first.cancel()
    assert len((await second).received_messages) == 1


async def test_waiting_pulls_end_when_the_subscription_is_deleted(pubsub: Calls) -> None:
    await pubsub.subscribe()
    pulls = [_pull(pubsub), _pull(pubsub)]
    await pubsub.clock.advance(0)
    await pubsub.call(
        "DeleteSubscription", types.DeleteSubscriptionRequest(subscription=SUBSCRIPTION)
    )
    for pull in pulls:
        with refused(grpc.StatusCode.NOT_FOUND):
            await pull


class Client:
    """A streaming pull, seen from the client."""

    def __init__(self, pubsub: Calls, **first: Any) -> None:
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        defaults = {"subscription": SUBSCRIPTION, "stream_ack_deadline_seconds": 10}
        self.send(**defaults | first)
        self._replies = pubsub.stream(self._sent())
        self._next: asyncio.Future[Any] | None = None
        self._pubsub = pubsub

    def send(self, **fields: Any) -> None:
        self._requests.put_nowait(types.StreamingPullRequest(**fields))

    def half_close(self) -> None:
        self._requests.put_nowait(END)

    async def receive(self) -> list[Any] | None:
        """Return the messages that have come, None if none have; raises what ends the stream."""
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._replies))
        await self._pubsub.clock.advance(0)
        if not self._next.done():
            return None
        done, self._next = self._next, None
        return list(done.result().received_messages)

    async def close(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        await self._replies.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def _sent(self) -> AsyncIterator[Any]:
        while (request := await self._requests.get()) is not END:
            yield request


def _data(received: list[Any] | None) -> list[bytes]:
    assert received is not None
    return [each.message.data for each in received]


async def test_a_stream_sends_messages_as_they_come(pubsub: Calls) -> None:
    await pubsub.subscribe()
    client = Client(pubsub)
    assert await client.receive() is None
    for name in (b"a", b"b"):
        await pubsub.publish(name)
        assert _data(await client.receive()) == [name]
    await client.close()


async def test_a_stream_acknowledges_and_moves_deadlines(pubsub: Calls) -> None:
    await pubsub.subscribe()
    for name in (b"acknowledged", b"nacked", b"extended"):
        await pubsub.publish(name)
    client = Client(pubsub)
    received = await client.receive()
    assert received is not None
    acknowledged, nacked, extended = (each.ack_id for each in received)
    client.send(
        ack_ids=[acknowledged],
        modify_deadline_ack_ids=[nacked, extended],
        modify_deadline_seconds=[0, 60],
    )
    assert _data(await client.receive()) == [b"nacked"]
    await pubsub.clock.advance(59)
    assert _data(await client.receive()) == [b"nacked"]
    await pubsub.clock.advance(1)
    assert _data(await client.receive()) == [b"extended"]
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 2
    await client.close()


async def test_a_stream_s_deadline_is_its_own(pubsub: Calls) -> None:
    await pubsub.subscribe(ack_deadline_seconds=600)
    await pubsub.publish()
    client = Client(pubsub, stream_ack_deadline_seconds=20)
    await client.receive()
    await pubsub.clock.advance(20)
    assert len(await client.receive() or []) == 1
    client.send(stream_ack_deadline_seconds=40)
    await pubsub.clock.advance(20)
    assert len(await client.receive() or []) == 1
    await pubsub.clock.advance(39)
    assert await client.receive() is None
    await pubsub.clock.advance(1)
    assert len(await client.receive() or []) == 1
    await client.close()


async def test_flow_control_by_messages(pubsub: Calls) -> None:
    await pubsub.subscribe()
    client = Client(pubsub, max_outstanding_messages=2)
    for number in range(5):
        await pubsub.publish(b"%d" % number)
    first = await client.receive()
    assert _data(first) == [b"0", b"1"]
    assert await client.receive() is None
    assert first is not None
    client.send(ack_ids=[first[0].ack_id])
    assert _data(await client.receive()) == [b"2"]
    await pubsub.acknowledge(first[1])
    assert _data(await client.receive()) == [b"3"]
    await pubsub.clock.advance(10)
    assert _data(await client.receive()) == [b"4", b"2"]
    await client.close()


async def test_flow_control_by_bytes(pubsub: Calls) -> None:
    await pubsub.subscribe()
    client = Client(pubsub, max_outstanding_bytes=1000)
    for _ in range(4):
        await pubsub.publish(b"x" * 600)
    first = await client.receive()
    assert first is not None
    assert len(first) == 2
    assert await client.receive() is None
    client.send(ack_ids=[first[0].ack_id])
    assert len(await client.receive() or []) == 1
    await client.close()


async def test_a_stream_tells_the_attempt(pubsub: Calls) -> None:
    await pubsub.topic(DEAD_TOPIC)
    await pubsub.subscribe(dead_letter_policy={"dead_letter_topic": DEAD_TOPIC})
    await pubsub.publish()
    client = Client(pubsub)
    for attempt in range(1, 6):
        received = await client.receive()
        assert received is not None
        assert received[0].delivery_attempt == attempt
        client.send(modify_deadline_ack_ids=[received[0].ack_id], modify_deadline_seconds=[0])
    assert await client.receive() is None
    assert pubsub.pubsub.published_count(DEAD_TOPIC) == 1
    await client.close()


async def test_a_stream_ends_with_the_client(pubsub: Calls) -> None:
    await pubsub.subscribe()
    client = Client(pubsub)
    assert await client.receive() is None
    client.half_close()
    with pytest.raises(StopAsyncIteration):
        await client.receive()


async def test_messages_of_a_closed_stream_return_after_their_deadline(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish(b"again")
    client = Client(pubsub)
    await client.receive()
    await client.close()
    assert await pubsub.pull() == []
    await pubsub.clock.advance(10)
    assert await pubsub.payloads() == [b"again"]


@pytest.mark.parametrize(
    "request_",
    [
        {"subscription": SUBSCRIPTION},
        {"max_outstanding_messages": 5},
        {"max_outstanding_bytes": 5},
        {"stream_ack_deadline_seconds": 9},
        {"ack_ids": ["nonsense"]},
        {"modify_deadline_ack_ids": ["0123456789ab-1"]},
        {"modify_deadline_ack_ids": ["0123456789ab-1"], "modify_deadline_seconds": [-1]},
    ],
)
async def test_a_refused_request_ends_the_stream(pubsub: Calls, request_: dict[str, Any]) -> None:
    await pubsub.subscribe()
    client = Client(pubsub)
    assert await client.receive() is None
    client.send(**request_)
    with refused(INVALID):
        await client.receive()


@pytest.mark.parametrize("deadline", [0, 9, 601])
async def test_a_stream_needs_a_deadline(pubsub: Calls, deadline: int) -> None:
    await pubsub.subscribe()
    with refused(INVALID, match="stream_ack_deadline_seconds"):
        await Client(pubsub, stream_ack_deadline_seconds=deadline).receive()


async def test_a_stream_needs_a_pull_subscription(pubsub: Calls) -> None:
    with refused(grpc.StatusCode.NOT_FOUND):
        await Client(pubsub).receive()
    await pubsub.subscribe(push_config={"push_endpoint": "http://localhost/"})
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        await Client(pubsub).receive()


async def test_a_stream_needs_a_first_request(pubsub: Calls) -> None:
    async def nothing() -> AsyncIterator[Any]:
        return
        yield

    with refused(INVALID, match="first request"):
        await anext(pubsub.stream(nothing()))


async def test_a_stream_ends_with_its_subscription(pubsub: Calls) -> None:
    await pubsub.subscribe()
    client = Client(pubsub)
    assert await client.receive() is None
    await pubsub.call(
        "DeleteSubscription", types.DeleteSubscriptionRequest(subscription=SUBSCRIPTION)
    )
    with refused(grpc.StatusCode.NOT_FOUND):
        await client.receive()


async def test_closing_ends_streams_as_unavailable(clock: ManualClock) -> None:
    pubsub = Calls(clock, PubSub(clock))
    await pubsub.topic(TOPIC)
    await pubsub.subscribe()
    client = Client(pubsub)
    assert await client.receive() is None
    await pubsub.pubsub.close()
    with pytest.raises(RpcError) as caught:
        await client.receive()
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert asyncio.all_tasks() == {asyncio.current_task()}
