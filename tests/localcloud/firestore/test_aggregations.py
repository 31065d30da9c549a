import math
from typing import Any

import pytest
from google.cloud.firestore_v1.types import StructuredAggregationQuery

from localcloud.core.rpc import RpcError
from localcloud.firestore import aggregations
from localcloud.firestore.messages import Value
from tests.support.firestore_messages import document, value

Aggregation = StructuredAggregationQuery.Aggregation


def aggregate(numbers: list[Any], **aggregation: Any) -> Value:
    documents = [document(f"c/{index}", {"n": n}) for index, n in enumerate(numbers)]
    message = Aggregation.pb(Aggregation(alias="x", **aggregation))
    return aggregations.aggregate([message], documents)["x"]


N = {"field": {"field_path": "n"}}


@pytest.mark.parametrize(
    ("numbers", "total"),
    [
        ([], 0),
        ([1, 2], 3),
        ([1, 2.5], 3.5),
        ([1, "x", None, [3]], 1),
        ([2**62, 2**62], float(2**63)),
    ],
)
def test_sums(numbers: list[Any], total: float) -> None:
    assert aggregate(numbers, sum=N) == value(total)


def test_a_sum_with_nan_is_nan() -> None:
    assert math.isnan(aggregate([1, math.nan], sum=N).double_value)


@pytest.mark.parametrize(
    ("numbers", "mean"), [([], None), ([1, 2], 1.5), (["x"], None), ([2**63 - 1] * 2, 2.0**63)]
)
def test_averages(numbers: list[Any], mean: float | None) -> None:
    assert aggregate(numbers, avg=N) == value(mean)


def test_an_average_with_nan_is_nan() -> None:
    assert math.isnan(aggregate([1, math.nan], avg=N).double_value)


def test_a_count_may_be_bounded() -> None:
    assert aggregate([1, 2, 3], count={}) == value(3)
    assert aggregate([1, 2, 3], count={"up_to": 2}) == value(2)
    with pytest.raises(RpcError, match="greater than zero"):
        aggregate([1], count={"up_to": 0})


def test_an_alias_is_given_where_none_was() -> None:
    counts = [Aggregation.pb(Aggregation(count={}))] * 2
    assert set(aggregations.aggregate(counts, [])) == {"field_1", "field_2"}


def test_what_an_aggregation_query_cannot_be() -> None:
    with pytest.raises(RpcError, match="1 to 5"):
        aggregations.aggregate([], [])
    with pytest.raises(RpcError, match="count, a sum or an average"):
        aggregations.aggregate([Aggregation.pb(Aggregation())], [])
