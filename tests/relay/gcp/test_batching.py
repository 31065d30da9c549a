import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.pubsub_v1 import types

from localcloud.core.rpc import RpcError
from relay.errors import PublishRefused, PublishUnavailable, Unavailable
from relay.gcp.batching import BatchingPublisher, PublisherLimits
from relay.gcp.channels import opener
from tests.support.publish_sink import Sink

TOPIC = "projects/my-project/topics/ingress"
Make = Callable[..., BatchingPublisher]


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    made = Sink()
    await made.start()
    yield made
    made.gate.set()
    await made.stop()


@pytest.fixture
async def make(sink: Sink) -> AsyncIterator[Make]:
    publishers: list[BatchingPublisher] = []

    def new(**limits: Any) -> BatchingPublisher:
        open_channel = opener("pubsub.googleapis.com", sink.address)
        publishers.append(BatchingPublisher(open_channel, PublisherLimits(**limits)))
        return publishers[-1]

    yield new
    for publisher in publishers:
        await publisher.close()


async def publish(
    publisher: BatchingPublisher, data: bytes = b"x", topic: str = TOPIC, timeout: float = 30
) -> str:
    return await publisher.publish(topic, data, {"kind": "test"}, timeout=timeout)


def start(
    publisher: BatchingPublisher, *data: bytes, timeout: float = 30
) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(publish(publisher, each, timeout=timeout)) for each in data]


async def outcomes(tasks: list[asyncio.Task[str]]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_message_and_its_id(sink: Sink, make: Make) -> None:
    assert await publish(make(), b"\x00\xff") == "1"
    [call] = sink.calls
    assert call.topic == TOPIC
    assert [(m.data, dict(m.attributes)) for m in call.messages] == [
        (b"\x00\xff", {"kind": "test"})
    ]
    assert (
        sink.metadata[0]["x-goog-request-params"]
        == "topic=projects%2Fmy-project%2Ftopics%2Fingress"
    )


async def test_a_lone_message_goes_out_at_once(sink: Sink, make: Make) -> None:
    publisher = make()
    for _ in range(3):
        await publish(publisher)
    assert sink.sizes == [1, 1, 1]


async def test_what_arrives_together_shares_a_call(sink: Sink, make: Make) -> None:
    data = [b"%d" % number for number in range(50)]
    ids = await asyncio.gather(*start(make(), *data))
    assert sink.sizes == [50]
    assert {message_id: m.data for message_id, m in zip(ids, sink.stored, strict=True)} == dict(
        zip(ids, data, strict=True)
    )


@pytest.mark.parametrize("limits", [{"calls": 1}, {"linger": 3600}], ids=str)
async def test_what_arrives_while_calls_are_under_way_shares_the_next(
    sink: Sink, make: Make, limits: dict[str, int]
) -> None:
    sink.behave = sink.hang
    publisher = make(**limits)
    first = start(publisher, b"first")
    await sink.called.wait()
    rest = start(publisher, *[b"rest"] * 20)
    await asyncio.sleep(0)
    rest += start(publisher, *[b"rest"] * 20)
    await asyncio.sleep(0)
    sink.gate.set()
    await asyncio.gather(*first, *rest)
    assert sink.sizes == [1, 40]


async def test_a_call_that_takes_long_is_not_waited_for(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    publisher = make(linger=0.001)
    first = start(publisher, b"first")
    await sink.called.wait()
    sink.called.clear()
    second = start(publisher, b"second")
    # While the first call hangs still.
    await sink.called.wait()
    sink.gate.set()
    await asyncio.gather(*first, *second)
    assert sink.sizes == [1, 1]


async def test_calls_are_bounded_in_messages(sink: Sink, make: Make) -> None:
    await asyncio.gather(*start(make(entries=10), *[b"x"] * 25))
    assert sorted(sink.sizes) == [5, 10, 10]


async def test_calls_are_bounded_in_bytes(sink: Sink, make: Make) -> None:
    await asyncio.gather(*start(make(size=250), *[b"x" * 80] * 6))
    assert sink.sizes == [2, 2, 2]


async def test_a_message_over_the_bound_goes_alone(sink: Sink, make: Make) -> None:
    await asyncio.gather(*start(make(size=100), b"x", b"y" * 500, b"z"))
    assert sorted(sink.sizes) == [1, 1, 1]


async def test_topics_do_not_share_calls(sink: Sink, make: Make) -> None:
    publisher = make()
    await asyncio.gather(publish(publisher), publish(publisher, topic=TOPIC + "-2"))
    assert {call.topic for call in sink.calls} == {TOPIC, TOPIC + "-2"}


@pytest.mark.parametrize("limits", [{"waiting": 3}, {"waiting_size": 100}])
async def test_a_full_queue_refuses_at_once(sink: Sink, make: Make, limits: dict[str, int]) -> None:
    sink.behave = sink.hang
    publisher = make(**limits)
    waiting = start(publisher, *[b"x" * 10] * 3)
    await sink.called.wait()
    with pytest.raises(PublishUnavailable) as caught:
        await publish(publisher, b"x" * 90)
    assert caught.value.reason == "publish-queue-full"
    sink.gate.set()
    await asyncio.gather(*waiting)
    await publish(publisher, b"x" * 10)


async def test_a_publish_that_takes_too_long_is_unavailable(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    with pytest.raises(PublishUnavailable) as caught:
        await publish(make(), timeout=0.05)
    assert caught.value.reason == "publish-deadline"


async def test_a_message_nobody_waits_for_any_more_is_not_sent(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    publisher = make(calls=1)
    first = start(publisher, b"first")
    await sink.called.wait()
    late = start(publisher, b"late", b"late", timeout=0.01)
    await outcomes(late)
    last = start(publisher, b"last")
    await asyncio.sleep(0)
    sink.gate.set()
    await asyncio.gather(*first, *last)
    assert [m.data for m in sink.stored] == [b"first", b"last"]


async def test_each_message_keeps_its_own_deadline(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    publisher = make()
    [short] = start(publisher, b"short", timeout=0.01)
    [long] = start(publisher, b"long")
    [first] = await outcomes([short])
    assert isinstance(first, PublishUnavailable)
    assert not long.done()
    sink.gate.set()
    assert await long
    assert sink.sizes == [2]


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNKNOWN,
    ],
)
async def test_a_refusal_that_may_pass_is_tried_again(
    sink: Sink, make: Make, code: grpc.StatusCode
) -> None:
    sink.refuse(code, times=2)
    assert await publish(make())
    assert sink.sizes == [1, 1, 1]


async def test_but_only_within_the_deadline(sink: Sink, make: Make) -> None:
    sink.refuse(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(PublishUnavailable) as caught:
        await publish(make(), timeout=0.1)
    assert caught.value.reason == "publish-deadline"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.NOT_FOUND, "publish-not_found"),
        (grpc.StatusCode.PERMISSION_DENIED, "publish-permission_denied"),
        (grpc.StatusCode.UNAUTHENTICATED, "publish-unauthenticated"),
    ],
)
async def test_a_missing_topic_or_right_fails_at_once(
    sink: Sink, make: Make, code: grpc.StatusCode, reason: str
) -> None:
    sink.refuse(code)
    found = await outcomes(start(make(), b"a", b"b"))
    assert [type(error) for error in found] == [PublishUnavailable] * 2
    assert {error.reason for error in found} == {reason}
    assert found[0] is not found[1]
    assert sink.sizes == [2]


async def test_one_bad_message_does_not_fail_the_others(sink: Sink, make: Make) -> None:
    async def particular(request: Any) -> Any:
        if any(message.data.startswith(b"bad") for message in request.messages):
            raise RpcError(grpc.StatusCode.INVALID_ARGUMENT, "bad data")
        return await sink.store(request)

    sink.behave = particular
    data = [b"bad" if number in (3, 17) else b"good %d" % number for number in range(32)]
    found = await outcomes(start(make(), *data))
    refused = [number for number, each in enumerate(found) if isinstance(each, PublishRefused)]
    assert refused == [3, 17]
    assert found[3].reason == "publish-refused"
    assert found[3].detail == "bad data"
    assert sorted(m.data for m in sink.stored) == sorted(d for d in data if d != b"bad")
    assert len(set(map(str, found))) == 31
    assert len(sink.calls) < 32


async def test_an_attribute_without_utf8_is_refused(sink: Sink, make: Make) -> None:
    with pytest.raises(PublishRefused):
        await make().publish(TOPIC, b"", {"key": "\ud800"}, timeout=1)
    assert sink.calls == []


@pytest.mark.parametrize("ids", [[], ["1"], ["1", ""], ["1", "2", "3"]])
async def test_nothing_is_confirmed_without_an_id_for_each(
    sink: Sink, make: Make, ids: list[str]
) -> None:
    async def odd(_request: Any) -> Any:
        return types.PublishResponse.pb()(message_ids=ids)

    sink.behave = odd
    found = await outcomes(start(make(), b"a", b"b"))
    assert {error.reason for error in found} == {"publish-unconfirmed"}


async def test_it_recovers_once_pubsub_is_back(sink: Sink, make: Make) -> None:
    publisher = make()
    await publish(publisher)
    await sink.stop()
    with pytest.raises(PublishUnavailable):
        await publish(publisher, timeout=0.05)
    waiting = start(publisher, b"during", b"the outage")
    await asyncio.sleep(0)
    await sink.start()
    await asyncio.gather(*waiting)
    assert [m.data for m in sink.stored][-2:] == [b"during", b"the outage"]


async def test_it_starts_while_pubsub_is_not_there_yet(sink: Sink, make: Make) -> None:
    await sink.stop()
    publisher = make()
    waiting = start(publisher, b"early")
    await asyncio.sleep(0)
    await sink.start()
    assert await waiting[0]


async def test_one_channel_serves_all(sink: Sink) -> None:
    opened: list[grpc.aio.Channel] = []
    open_channel = opener("pubsub.googleapis.com", sink.address)

    async def counting() -> grpc.aio.Channel:
        await asyncio.sleep(0)
        opened.append(await open_channel())
        return opened[-1]

    publisher = BatchingPublisher(counting)
    topics = [f"{TOPIC}-{number}" for number in range(10)]
    await asyncio.gather(*(publish(publisher, topic=topic) for topic in topics))
    await publisher.connect()
    assert len(opened) == 1
    await publisher.close()


async def test_credentials_that_cannot_be_had() -> None:
    refusals: list[Callable[[], Awaitable[grpc.aio.Channel]]] = []

    async def refuse() -> grpc.aio.Channel:
        refusals.append(refuse)
        raise Unavailable("credentials")

    publisher = BatchingPublisher(refuse)
    for _ in range(2):
        with pytest.raises(PublishUnavailable) as caught:
            await publish(publisher)
        assert caught.value.reason == "credentials"
    assert len(refusals) == 2


async def test_closing_ends_what_is_under_way(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    publisher = make()
    waiting = start(publisher, b"x")
    await sink.called.wait()
    await publisher.close()
    await publisher.close()
    [found] = await outcomes(waiting)
    assert isinstance(found, PublishUnavailable)
    assert found.reason == "publish-closed"


async def test_a_channel_that_somebody_else_closed(sink: Sink) -> None:
    channel = await opener("pubsub.googleapis.com", sink.address)()

    async def closed() -> grpc.aio.Channel:
        return channel

    publisher = BatchingPublisher(closed)
    await publisher.connect()
    await channel.close()
    with pytest.raises(PublishUnavailable) as caught:
        await publish(publisher)
    assert caught.value.reason == "publish-closed"


async def test_a_publisher_that_is_cancelled_leaves_the_others_alone(
    sink: Sink, make: Make
) -> None:
    sink.behave = sink.hang
    publisher = make()
    cancelled, other = start(publisher, b"a", b"b")
    await sink.called.wait()
    cancelled.cancel()
    sink.gate.set()
    assert await other
