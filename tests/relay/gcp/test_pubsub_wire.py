from typing import Any

import pytest
from google.pubsub_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from relay.gcp.pubsub_wire import PUBLISH, PublishRequest, PublishResponse

PAIRS = [
    (
        PublishRequest.DESCRIPTOR.fields_by_name["messages"].message_type,
        types.PubsubMessage.pb().DESCRIPTOR,
    ),
    (PublishRequest.DESCRIPTOR, types.PublishRequest.pb().DESCRIPTOR),
    (PublishResponse.DESCRIPTOR, types.PublishResponse.pb().DESCRIPTOR),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda each: each.full_name)
def test_each_field_is_the_librarys(ours: Any, theirs: Any) -> None:
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        assert (field.number, field.type, field.is_repeated) == (
            other.number,
            other.type,
            other.is_repeated,
        )


def test_the_method_is_the_librarys() -> None:
    service, _, method = PUBLISH.strip("/").rpartition("/")
    assert service == "google.pubsub.v1.Publisher"
    assert method == "Publish"


@given(
    st.text(max_size=20),
    st.lists(
        st.tuples(
            st.binary(max_size=20),
            st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
        )
    ),
)
def test_the_library_reads_what_we_write(
    topic: str, contents: list[tuple[bytes, dict[str, str]]]
) -> None:
    messages = [{"data": data, "attributes": attributes} for data, attributes in contents]
    written = PublishRequest(topic=topic, messages=messages).SerializeToString()
    read = types.PublishRequest.pb().FromString(written)
    assert read.topic == topic
    assert [(message.data, dict(message.attributes)) for message in read.messages] == contents


def test_we_read_what_the_library_writes() -> None:
    written = types.PublishResponse.pb()(message_ids=["1", "2"]).SerializeToString()
    assert list(PublishResponse.FromString(written).message_ids) == ["1", "2"]
