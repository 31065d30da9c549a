from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.cloud.firestore_v1 import _helpers
from google.cloud.firestore_v1.types import Document, Value, Write
from google.protobuf import timestamp_pb2
from hypothesis import given
from hypothesis import strategies as st

from relay.gcp.documents import change, creation, read_fields

NAME = "projects/p/databases/(default)/documents/deliveries/d"
_pb: Any = timestamp_pb2
VERSION = _pb.Timestamp(seconds=7, nanos=123456000)

times = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
names = st.sampled_from(["state", "lease_until", "routes_done", "n", "7", "x_y"])
identifiers = names.filter(str.isidentifier)
integers = st.integers(-(2**63), 2**63 - 1)
scalars = st.text(max_size=20) | integers | st.booleans() | st.none() | times
flat = scalars | st.lists(scalars, max_size=3) | st.dictionaries(names, scalars, max_size=3)
values = flat | st.dictionaries(names, flat, max_size=2)
documents = st.dictionaries(names, values, max_size=4)


@given(fields=documents)
def test_fields_read_as_they_were_written(fields: dict[str, Any]) -> None:
    assert read_fields(creation(NAME, fields).update) == fields


@given(fields=documents)
def test_a_creation_is_the_librarys(fields: dict[str, Any]) -> None:
    [theirs] = _helpers.pbs_for_create(NAME, fields)
    assert creation(NAME, fields) == Write.pb(theirs)


@given(fields=st.dictionaries(identifiers, values, min_size=1))
def test_a_change_is_the_librarys(fields: dict[str, Any]) -> None:
    [theirs] = _helpers.pbs_for_update(NAME, fields, _helpers.LastUpdateOption(VERSION))
    expected = Write.pb(theirs)
    ours = change(NAME, fields, VERSION)
    assert sorted(ours.update_mask.field_paths) == sorted(expected.update_mask.field_paths)
    del ours.update_mask.field_paths[:], expected.update_mask.field_paths[:]
    assert ours == expected


def test_times_of_other_zones_are_the_same_moment() -> None:
    east = datetime(2027, 1, 15, 10, tzinfo=timezone(timedelta(hours=2)))
    [time] = read_fields(creation(NAME, {"at": east}).update).values()
    assert (time, time.tzinfo) == (east, UTC)


def test_other_types_can_be_read() -> None:
    fields = {
        "n": Value(double_value=1.5),
        "where": Value(geo_point_value={"latitude": 1.0}),
        "nothing": Value(),
    }
    read = read_fields(Document.pb(Document(fields=fields)))
    assert (read["n"], read["nothing"]) == (1.5, None)
    assert read["where"].latitude == 1.0


@pytest.mark.parametrize("field", [1.5, b"bytes", {1}], ids=repr)
def test_other_types_cannot_be_written(field: object) -> None:
    with pytest.raises(TypeError, match=type(field).__name__):
        creation(NAME, {"field": field})
