import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.pubsub_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.rpc import RpcError
from relay.errors import PublishRefused, PublishUnavailable, Unavailable
from relay.gcp.channels import opener
from relay.gcp.publish_call import serialize
from relay.gcp.publisher import BatchingPublisher
from tests.relay.gcp.publishing import TOPIC, Make, outcomes, publish, start
from tests.support.publish_sink import Sink

ATTRIBUTES = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)


@given(st.lists(st.tuples(st.binary(max_size=20), ATTRIBUTES)))
def test_joined_requests_parse_as_one(contents: list[tuple[bytes, dict[str, str]]]) -> None:
    joined = b"".join(serialize(data, attributes) for data, attributes in contents)
    parsed = types.PublishRequest.deserialize(joined)
    assert [(each.data, dict(each.attributes)) for each in parsed.messages] == contents


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
async def test_a_transient_refusal_is_retried(
    sink: Sink, make: Make, code: grpc.StatusCode
) -> None:
    sink.refuse(code, times=2)
    assert await publish(make())
    assert sink.sizes == [1, 1, 1]


async def test_retries_end_at_the_deadline(sink: Sink, make: Make) -> None:
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


@pytest.mark.parametrize("ids", [[], ["1"], ["1", ""], ["1", "2", "3"]])
async def test_a_reply_without_an_id_for_each_message_confirms_none(
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


async def test_a_message_waits_for_a_pubsub_that_starts_later(sink: Sink, make: Make) -> None:
    await sink.stop()
    waiting = start(make(), b"early")
    await asyncio.sleep(0)
    await sink.start()
    assert await waiting[0]


async def test_missing_credentials_fail_each_publish() -> None:
    attempts: list[str] = []

    async def refuse() -> grpc.aio.Channel:
        attempts.append("open")
        raise Unavailable("credentials")

    publisher = BatchingPublisher(refuse)
    for _ in range(2):
        with pytest.raises(PublishUnavailable) as caught:
            await publish(publisher)
        assert caught.value.reason == "credentials"
    assert len(attempts) == 2


async def test_topics_share_a_channel(sink: Sink) -> None:
    opened: list[grpc.aio.Channel] = []
    open_channel = opener("pubsub.googleapis.com", sink.address)

    async def counting() -> grpc.aio.Channel:
        await asyncio.sleep(0)
        opened.append(await open_channel())
        return opened[-1]

    publisher = BatchingPublisher(counting)
    topics = [f"{TOPIC}-{number}" for number in range(10)]
    await asyncio.gather(*(publish(publisher, topic=topic) for topic in topics))
    assert len(opened) == 1
    await publisher.close()


async def test_a_channel_closed_elsewhere_fails_the_publish(sink: Sink) -> None:
    channel = await opener("pubsub.googleapis.com", sink.address)()
    await channel.close()

    async def closed() -> grpc.aio.Channel:
        return channel

    with pytest.raises(PublishUnavailable) as caught:
        await publish(BatchingPublisher(closed))
    assert caught.value.reason == "publish-closed"
