from typing import Any

import pytest

from localcloud.core.rpc import RpcError
from localcloud.firestore import limits
from localcloud.firestore.messages import Value
from tests.support.firestore_messages import document


def nested(depth: int) -> dict[str, Any]:
    inner: Any = 1
    for _ in range(depth):
        inner = {"m": inner}
    return {"m": inner}


def test_the_size_is_counted_as_documented() -> None:
    # The documentation's own example counts 147 bytes: name 29 + 16, fields 70, and 32 besides.
    stored = document(
        "users/jeff/tasks/my_task_id",
        {"type": "Personal", "done": False, "priority": 1, "description": "Learn Cloud Firestore"},
    )
    assert limits.size(stored) == 147


def test_a_document_at_the_limit_is_admitted_and_one_byte_more_is_not() -> None:
    stored = document("c/d", {"f": ""})
    room = limits.MAX_DOCUMENT_BYTES - limits.size(stored)
    limits.admit(document("c/d", {"f": "x" * room}))
    with pytest.raises(RpcError, match=r"size \(1,048,577 bytes\) exceeds"):
        limits.admit(document("c/d", {"f": "x" * (room + 1)}))


@pytest.mark.parametrize("name", ["__x__", "x" * 1501])
def test_field_names_are_checked(name: str) -> None:
    with pytest.raises(RpcError, match="reserved, empty or too long"):
        limits.admit(document("c/d", {"deep": {name: 1}}))


def test_an_empty_field_name_is_refused() -> None:
    stored = document("c/d")
    stored.fields[""].integer_value = 1
    with pytest.raises(RpcError, match="reserved, empty or too long"):
        limits.admit(stored)


def test_vectors_are_refused_by_name() -> None:
    vector = {"__type__": "__vector__", "value": [1.0]}
    with pytest.raises(RpcError, match="does not imitate vectors"):
        limits.admit(document("c/d", {"v": vector}))


def test_depth_is_bounded() -> None:
    limits.admit(document("c/d", nested(18)))
    with pytest.raises(RpcError, match="deeper than 20"):
        limits.admit(document("c/d", nested(20)))


def test_a_value_must_be_one_that_can_be_stored() -> None:
    stored = document("c/d")
    stored.fields["f"].CopyFrom(Value())
    with pytest.raises(RpcError, match="of type unset"):
        limits.admit(stored)
    stored.fields["f"].CopyFrom(Value(field_reference_value="x"))
    with pytest.raises(RpcError, match="of type field_reference_value"):
        limits.admit(stored)


def test_times_are_cut_to_microseconds_everywhere() -> None:
    # The client library hides nanoseconds, so the contract suite cannot see them.
    stored = document("c/d", {"list": [{"t": 0}]})
    holder = stored.fields["list"].array_value.values[0].map_value.fields["t"]
    holder.timestamp_value.seconds = -1
    holder.timestamp_value.nanos = 123_456_789
    limits.admit(stored)
    assert holder.timestamp_value.nanos == 123_456_000
