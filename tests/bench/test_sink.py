"""The sink in Python: ids for messages, and a count of them."""

from google.pubsub_v1.types import PublishRequest

from bench.sink import Sink
from localcloud.core import rpc
from relay.gcp.channels import opener
from relay.gcp.publisher import BatchingPublisher


async def test_each_message_gets_an_id_and_is_counted() -> None:
    sink = Sink()
    request = PublishRequest.pb()(topic="t", messages=[{"data": b"a"}, {}])
    replies = [await sink.publish(request), await sink.publish(request)]
    assert [list(reply.message_ids) for reply in replies] == [["1", "2"], ["3", "4"]]
    assert (sink.messages, sink.calls) == (4, 2)


async def test_a_publisher_can_publish_to_it() -> None:
    sink = Sink()
    listener = await rpc.listen(sink.services)
    publisher = BatchingPublisher(opener("", listener.address))
    assert await publisher.publish("projects/p/topics/t", b"data", {}, timeout=10) == "1"
    await publisher.close()
    await listener.stop()
    assert sink.messages == 1
