"""The filters of a query, compiled to predicates on documents.

The operators and what they require: `google.firestore.v1.StructuredQuery.FieldFilter.Operator`.
A document that lacks the field meets no condition on it, negative ones included.
"""

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

from google.cloud.firestore_v1.types import StructuredQuery as _Query

from localcloud.core.statuses import invalid
from localcloud.firestore import fieldpaths, values
from localcloud.firestore.fieldpaths import Path
from localcloud.firestore.messages import Document, Filter, Value

Predicate = Callable[[Document], bool]
Test = Callable[[Value], bool]

MAX_DISJUNCTIONS = 30
MAX_NOT_IN = 10

_Op = _Query.FieldFilter.Operator
_Unary = _Query.UnaryFilter.Operator
_AND, _OR = _Query.CompositeFilter.Operator.AND, _Query.CompositeFilter.Operator.OR

_NEGATIVE = frozenset({_Op.NOT_EQUAL, _Op.NOT_IN})
_INEQUALITIES = _NEGATIVE | {
    _Op.LESS_THAN,
    _Op.LESS_THAN_OR_EQUAL,
    _Op.GREATER_THAN,
    _Op.GREATER_THAN_OR_EQUAL,
}


def compile_filter(condition: Filter) -> Predicate:
    """Return a filter as a predicate; refuse a filter that is malformed."""
    if _disjunctions(condition) > MAX_DISJUNCTIONS:
        raise invalid(f"A query cannot have more than {MAX_DISJUNCTIONS} disjunctions.")
    _check_negative(condition)
    return _compile(condition)


def inequality_fields(condition: Filter) -> set[Path]:
    """Return the fields that a filter compares by inequality: a query orders by these."""
    return {
        fieldpaths.parse(leaf.field.field_path) for leaf in _leaves(condition) if is_unequal(leaf)
    }


def _compile(condition: Filter) -> Predicate:
    kind = condition.WhichOneof("filter_type")
    if kind == "composite_filter":
        return _composite(condition.composite_filter)
    if kind == "unary_filter":
        unary = condition.unary_filter
        return _on_field(unary.field.field_path, _unary_test(unary.op))
    if kind == "field_filter":
        return _field(condition.field_filter)
    raise invalid("A filter must be a composite, a field or a unary filter.")


def _composite(composite: Any) -> Predicate:
    parts = [_compile(part) for part in composite.filters]
    if not parts or composite.op not in {_AND, _OR}:
        raise invalid("A composite filter needs an operator, AND or OR, and at least one filter.")
    if composite.op == _AND:
        return lambda document: all(part(document) for part in parts)
    return lambda document: any(part(document) for part in parts)


def _field(condition: Any) -> Predicate:
    path = condition.field.field_path
    if condition.op not in _TESTS:
        raise invalid(f"The filter on {path} has no operator.")
    if path == "__name__":
        _check_names(condition.value)
    return _on_field(path, _TESTS[condition.op](condition.value))


def _check_names(operand: Value) -> None:
    elements = operand.array_value.values if operand.HasField("array_value") else [operand]
    if not all(element.reference_value for element in elements):
        raise invalid("__key__ filter value must be a Key: compare __name__ with references.")


def _on_field(path: str, test: Test) -> Predicate:
    parsed = fieldpaths.parse(path)

    def meets(document: Document) -> bool:
        value = fieldpaths.resolve(document, parsed)
        return value is not None and test(value)

    return meets


def _unary_test(op: int) -> Test:
    def is_nan(value: Value) -> bool:
        return values.key(value) == (values.NAN,)

    def is_null(value: Value) -> bool:
        return value.HasField("null_value")

    tests: dict[int, Test] = {
        _Unary.IS_NAN: is_nan,
        _Unary.IS_NULL: is_null,
        _Unary.IS_NOT_NAN: lambda value: not is_nan(value) and not is_null(value),
        _Unary.IS_NOT_NULL: lambda value: not is_null(value),
    }
    if op not in tests:
        raise invalid("A unary filter has no operator.")
    return tests[op]


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Value], Test]:
    def make(operand: Value) -> Test:
        right = values.key(operand)

        def test(value: Value) -> bool:
            left = values.key(value)
            return values.comparable(left, right) and compare(left, right)

        return test

    return make


def _equal(operand: Value) -> Test:
    right = values.key(operand)
    return lambda value: values.key(value) == right


def _not_equal(operand: Value) -> Test:
    right = values.key(operand)
    return lambda value: not value.HasField("null_value") and values.key(value) != right


def _in(operand: Value) -> Test:
    wanted = _operands(operand, MAX_DISJUNCTIONS, "IN")
    return lambda value: values.key(value) in wanted


def _not_in(operand: Value) -> Test:
    unwanted = _operands(operand, MAX_NOT_IN, "NOT_IN")
    if (values.NULL,) in unwanted:
        return lambda _: False
    return lambda value: not value.HasField("null_value") and values.key(value) not in unwanted


def _contains(operand: Value) -> Test:
    return _intersects({values.key(operand)})


def _contains_any(operand: Value) -> Test:
    return _intersects(_operands(operand, MAX_DISJUNCTIONS, "ARRAY_CONTAINS_ANY"))


def _intersects(wanted: set[values.Key]) -> Test:
    return lambda value: any(values.key(element) in wanted for element in value.array_value.values)


def _operands(operand: Value, most: int, name: str) -> set[values.Key]:
    if not operand.HasField("array_value") or not operand.array_value.values:
        raise invalid(f"'{name}' requires a non-empty ArrayValue.")
    if len(operand.array_value.values) > most:
        raise invalid(f"'{name}' supports up to {most} comparison values.")
    return {values.key(element) for element in operand.array_value.values}


def _leaves(condition: Filter) -> Iterator[Any]:
    if condition.HasField("composite_filter"):
        for part in condition.composite_filter.filters:
            yield from _leaves(part)
    else:
        yield leaf(condition)


def leaf(condition: Filter) -> Any:
    """Return the unary or field filter that a filter which is not composite holds."""
    return condition.unary_filter if condition.HasField("unary_filter") else condition.field_filter


def is_unary(leaf: Any) -> bool:
    """Tell a unary filter from a field filter."""
    return "value" not in leaf.DESCRIPTOR.fields_by_name


def _negated(leaf: Any) -> bool:
    negative = {_Unary.IS_NOT_NAN, _Unary.IS_NOT_NULL} if is_unary(leaf) else _NEGATIVE
    return leaf.op in negative


def is_unequal(leaf: Any) -> bool:
    """Return whether a unary or field filter is an inequality."""
    return _negated(leaf) or (not is_unary(leaf) and leaf.op in _INEQUALITIES)


def _check_negative(condition: Filter) -> None:
    leaves = list(_leaves(condition))
    if sum(_negated(leaf) for leaf in leaves) > 1:
        raise invalid("A query can have one NOT_EQUAL, NOT_IN, IS_NOT_NULL or IS_NOT_NAN only.")
    ops = {leaf.op for leaf in leaves if not is_unary(leaf)}
    if _Op.NOT_IN in ops and (
        ops & {_Op.IN, _Op.ARRAY_CONTAINS_ANY} or _disjunctions(condition) > 1
    ):
        raise invalid("NOT_IN cannot be combined with IN, ARRAY_CONTAINS_ANY or OR.")


def _disjunctions(condition: Filter) -> int:
    """Count the terms of a filter's disjunctive normal form."""
    if condition.HasField("composite_filter"):
        composite = condition.composite_filter
        counts = [_disjunctions(part) for part in composite.filters]
        return sum(counts) if composite.op == _OR else math.prod(counts)
    leaf = condition.field_filter
    if leaf.op in {_Op.IN, _Op.ARRAY_CONTAINS_ANY}:
        return max(1, len(leaf.value.array_value.values))
    return 1


_TESTS: dict[int, Callable[[Value], Test]] = {
    _Op.LESS_THAN: _comparison(operator.lt),
    _Op.LESS_THAN_OR_EQUAL: _comparison(operator.le),
    _Op.GREATER_THAN: _comparison(operator.gt),
    _Op.GREATER_THAN_OR_EQUAL: _comparison(operator.ge),
    _Op.EQUAL: _equal,
    _Op.NOT_EQUAL: _not_equal,
    _Op.IN: _in,
    _Op.NOT_IN: _not_in,
    _Op.ARRAY_CONTAINS: _contains,
    _Op.ARRAY_CONTAINS_ANY: _contains_any,
}
