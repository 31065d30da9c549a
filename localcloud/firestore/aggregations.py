"""Aggregations over what a query finds: count, sum and average.

As `google.firestore.v1.StructuredAggregationQuery.Aggregation` states them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from localcloud.core.statuses import invalid
from localcloud.firestore import fieldpaths
from localcloud.firestore.messages import Document, Value

MAX_AGGREGATIONS = 5

_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)


def aggregate(aggregations: Sequence[Any], documents: Sequence[Document]) -> dict[str, Value]:
    """Return the value of each aggregation by its alias."""
    if not 1 <= len(aggregations) <= MAX_AGGREGATIONS:
        raise invalid(f"An aggregation query takes 1 to {MAX_AGGREGATIONS} aggregations.")
    return {
        each.alias or f"field_{number}": _value(each, documents)
        for number, each in enumerate(aggregations, start=1)
    }


def _value(aggregation: Any, documents: Sequence[Document]) -> Value:
    kind = aggregation.WhichOneof("operator")
    if kind not in _OPERATORS:
        raise invalid("An aggregation must be a count, a sum or an average.")
    return _OPERATORS[kind](getattr(aggregation, kind), documents)


def _count(operand: Any, documents: Sequence[Document]) -> Value:
    if not operand.HasField("up_to"):
        return Value(integer_value=len(documents))
    if operand.up_to.value <= 0:
        raise invalid("up_to must be greater than zero.")
    return Value(integer_value=min(len(documents), operand.up_to.value))


def _sum(operand: Any, documents: Sequence[Document]) -> Value:
    numbers = _numbers(operand, documents)
    total = sum(numbers)
    if all(isinstance(number, int) for number in numbers) and _SMALLEST <= total <= _LARGEST:
        return Value(integer_value=int(total))
    return Value(double_value=float(total))


def _average(operand: Any, documents: Sequence[Document]) -> Value:
    numbers = _numbers(operand, documents)
    if not numbers:
        return Value(null_value=0)
    if any(math.isnan(number) for number in numbers):
        return Value(double_value=math.nan)
    return Value(double_value=sum(numbers) / len(numbers))


def _numbers(operand: Any, documents: Sequence[Document]) -> list[int | float]:
    path = fieldpaths.parse(operand.field.field_path)
    found = (fieldpaths.resolve(document, path) for document in documents)
    kinds = ((value, value.WhichOneof("value_type")) for value in found if value is not None)
    return [
        getattr(value, kind) for value, kind in kinds if kind in {"integer_value", "double_value"}
    ]


_OPERATORS: dict[str, Callable[[Any, Sequence[Document]], Value]] = {
    "count": _count,
    "sum": _sum,
    "avg": _average,
}
