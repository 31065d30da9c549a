import math
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud.firestore import GeoPoint
from google.cloud.firestore_v1.order import Order
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.rpc import RpcError
from localcloud.firestore import values
from localcloud.firestore.messages import Value
from tests.support.firestore_messages import ROOT, value

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats()
TEXT = st.text(st.characters(codec="utf-8"), max_size=4)
REFERENCES = st.lists(st.text("ab", min_size=1, max_size=2), min_size=2, max_size=4).map(
    lambda segments: Value(reference_value="/".join([ROOT, *segments]))
)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXT,
    st.binary(max_size=3),
    st.datetimes(timezones=st.just(UTC)),
    st.builds(GeoPoint, st.floats(-90, 90), st.floats(-180, 180)),
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab.", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
VALUES = PLAIN.map(value) | REFERENCES


@given(VALUES, VALUES)
def test_values_order_as_the_client_library_orders_them(left: Value, right: Value) -> None:
    ours, theirs = values.key(left), values.key(right)
    assert (ours > theirs) - (ours < theirs) == Order.compare(left, right)


@given(VALUES, VALUES, VALUES)
def test_the_order_is_total(one: Value, two: Value, three: Value) -> None:
    low, middle, high = sorted(map(values.key, (one, two, three)))
    assert low <= middle <= high
    assert low <= high


@given(VALUES)
def test_a_value_equals_itself(one: Value) -> None:
    assert values.key(one) == values.key(one)
    assert hash(values.key(one)) == hash(values.key(one))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (3, 3.0),
        (0.0, -0.0),
        (math.nan, -math.nan),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}),
    ],
)
def test_equal_across_representations(left: Any, right: Any) -> None:
    assert values.key(value(left)) == values.key(value(right))


def test_large_integers_are_not_rounded() -> None:
    assert values.key(value(2**53)) < values.key(value(2**53 + 1))
    assert values.key(value(float(2**53))) < values.key(value(2**53 + 1))


def test_inequalities_hold_within_a_type() -> None:
    def comparable(left: Any, right: Any) -> bool:
        return values.comparable(values.key(value(left)), values.key(value(right)))

    assert comparable(1, 2.5)
    assert comparable("a", "")
    assert comparable(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert not comparable(1, "1")
    assert not comparable(None, 0)


def test_numeric_ids_order_before_others_and_by_number() -> None:
    ids = ["__id-3__", "__id7__", "__id12__", "1", "a"]
    keys = [values.key(Value(reference_value=f"{ROOT}/c/{each}")) for each in ids]
    assert keys == sorted(keys)


def test_a_value_without_a_type_is_refused() -> None:
    with pytest.raises(RpcError, match="cannot be compared"):
        values.key(Value())
