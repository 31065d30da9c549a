from typing import Any

import grpc
import pytest
from google.cloud.firestore_v1.types import StructuredAggregationQuery

from localcloud.core.rpc import RpcError
from localcloud.firestore import aggregations
from tests.support.firestore_messages import document, value

Aggregation = StructuredAggregationQuery.Aggregation


def test_a_count_without_an_alias_is_named_by_its_place() -> None:
    counts = [Aggregation.pb(Aggregation(count={}))] * 2
    documents = [document(f"c/{n}") for n in range(3)]
    counted = aggregations.aggregate(counts, documents)
    assert counted == {"field_1": value(3), "field_2": value(3)}


@pytest.mark.parametrize("count", [0, 6])
def test_a_query_takes_1_to_5_aggregations(count: int) -> None:
    with pytest.raises(RpcError, match="1 to 5"):
        aggregations.aggregate([Aggregation.pb(Aggregation(count={}))] * count, [])


FIELD = {"field": {"field_path": "n"}}


@pytest.mark.parametrize(
    ("aggregation", "name"),
    [
        ({"sum": FIELD}, "the aggregation sum"),
        ({"avg": FIELD}, "the aggregation avg"),
        ({"count": {"up_to": 2}}, "a count up to a bound"),
    ],
)
def test_other_aggregations_are_refused_by_name(aggregation: dict[str, Any], name: str) -> None:
    with pytest.raises(RpcError, match=name) as refusal:
        aggregations.aggregate([Aggregation.pb(Aggregation(**aggregation))], [])
    assert refusal.value.code is grpc.StatusCode.UNIMPLEMENTED
