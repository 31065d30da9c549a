import asyncio
from typing import Any

import pytest

from relay.errors import PublishRefused, PublishUnavailable
from relay.gcp.publisher import BatchingPublisher, Publisher, create_publisher
from tests.relay.gcp.publishing import TOPIC, Make, outcomes, publish, start
from tests.support.publish_sink import Sink


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


async def test_a_lone_message_is_sent_at_once(sink: Sink, make: Make) -> None:
    publisher = make()
    for _ in range(3):
        await publish(publisher)
    assert sink.sizes == [1, 1, 1]


async def test_messages_that_arrive_together_share_a_call(sink: Sink, make: Make) -> None:
    data = [b"%d" % number for number in range(50)]
    ids = await asyncio.gather(*start(make(), *data))
    assert sink.sizes == [50]
    assert {message_id: m.data for message_id, m in zip(ids, sink.stored, strict=True)} == dict(
        zip(ids, data, strict=True)
    )


@pytest.mark.parametrize("limits", [{"calls": 1}, {"linger": 3600}], ids=str)
async def test_messages_that_arrive_during_a_call_share_the_next(
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


async def test_a_slow_call_does_not_hold_up_the_next(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    publisher = make(linger=0.001)
    first = start(publisher, b"first")
    await sink.called.wait()
    sink.called.clear()
    second = start(publisher, b"second")
    # While the first call still hangs.
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


async def test_a_message_over_the_bound_is_sent_alone(sink: Sink, make: Make) -> None:
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


async def test_a_publish_past_its_deadline_is_unavailable(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    with pytest.raises(PublishUnavailable) as caught:
        await publish(make(), timeout=0.05)
    assert caught.value.reason == "publish-deadline"


async def test_a_message_past_its_deadline_is_not_sent(sink: Sink, make: Make) -> None:
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


async def test_each_message_has_its_own_deadline(sink: Sink, make: Make) -> None:
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


async def test_an_attribute_without_utf8_is_refused(sink: Sink, make: Make) -> None:
    with pytest.raises(PublishRefused):
        await make().publish(TOPIC, b"", {"key": "\ud800"}, timeout=1)
    assert sink.calls == []


async def test_a_cancelled_publish_leaves_others_in_its_call_alone(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    publisher = make()
    cancelled, other = start(publisher, b"a", b"b")
    await sink.called.wait()
    cancelled.cancel()
    sink.gate.set()
    assert await other


async def test_closing_ends_publishes_in_flight(sink: Sink, make: Make) -> None:
    sink.behave = sink.hang
    publisher = make()
    waiting = start(publisher, b"x")
    await sink.called.wait()
    await publisher.close()
    await publisher.close()
    [found] = await outcomes(waiting)
    assert isinstance(found, PublishUnavailable)
    assert found.reason == "publish-closed"


async def test_it_publishes_to_the_emulator_that_is_named(sink: Sink) -> None:
    made = create_publisher({"PUBSUB_EMULATOR_HOST": sink.address})
    publisher: Publisher = made
    assert await publisher.publish("projects/p/topics/t", b"x", {}, timeout=30) == "1"
    await made.close()


def test_it_is_made_without_an_event_loop() -> None:
    made: Any = create_publisher({})
    assert isinstance(made, BatchingPublisher)
