"""Counts of what a query finds.

As `google.firestore.v1.StructuredAggregationQuery.Aggregation` states them.
"""

from collections.abc import Sequence
from typing import Any

from localcloud.core.statuses import invalid, unimplemented
from localcloud.firestore.messages import Document, Value

MAX_AGGREGATIONS = 5


def aggregate(aggregations: Sequence[Any], documents: Sequence[Document]) -> dict[str, Value]:
    """Return the value of each aggregation by its alias; only whole counts are imitated."""
    if not 1 <= len(aggregations) <= MAX_AGGREGATIONS:
        raise invalid(f"An aggregation query takes 1 to {MAX_AGGREGATIONS} aggregations.")
    for each in aggregations:
        operator = each.WhichOneof("operator")
        if operator != "count":
            raise unimplemented("Firestore", f"the aggregation {operator}")
        if each.count.HasField("up_to"):
            raise unimplemented("Firestore", "a count up to a bound")
    return {
        each.alias or f"field_{number}": Value(integer_value=len(documents))
        for number, each in enumerate(aggregations, start=1)
    }
