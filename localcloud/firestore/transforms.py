"""Field transforms: values that the server computes while it writes.

The rules are those of `google.firestore.v1.DocumentTransform.FieldTransform`.
"""

from collections.abc import Callable
from typing import Any

from localcloud.core.raw import timestamp
from localcloud.core.statuses import invalid, unimplemented
from localcloud.firestore.fieldpaths import Fields, get, parse, put
from localcloud.firestore.messages import FieldTransform, Value

_REQUEST_TIME = 1
_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)


def apply(fields: Fields, transform: FieldTransform, commit_time: int) -> Value:
    """Apply a transform to a field; return its result for the client."""
    path = parse(transform.field_path)
    kind = transform.WhichOneof("transform_type")
    if kind is None:
        raise invalid(f'The transform of "{transform.field_path}" names no operation.')
    if kind not in _TRANSFORMS:
        raise unimplemented("Firestore", f"the transform {kind}")
    operand = getattr(transform, kind)
    new = _TRANSFORMS[kind](get(fields, path), operand, commit_time)
    put(fields, path, new)
    return new


def _server_value(_old: Value | None, operand: int, commit_time: int) -> Value:
    if operand != _REQUEST_TIME:
        raise invalid("The only server value is REQUEST_TIME.")
    # The API states millisecond precision.
    return Value(timestamp_value=timestamp(commit_time - commit_time % 1000))


def _increment(old: Value | None, operand: Value, _commit_time: int) -> Value:
    added = _operand(operand)
    if old is None or not _is_number(old):
        return operand
    total = _plain(old) + added
    if isinstance(total, float):
        return Value(double_value=total)
    return Value(integer_value=min(max(total, _SMALLEST), _LARGEST))


def _is_number(value: Value) -> bool:
    return value.WhichOneof("value_type") in {"integer_value", "double_value"}


def _plain(value: Value) -> int | float:
    number: int | float = getattr(value, value.WhichOneof("value_type"))
    return number


def _operand(value: Value) -> int | float:
    if not _is_number(value):
        raise invalid("The operand of a numeric transform must be an integer or a double.")
    return _plain(value)


_TRANSFORMS: dict[str, Callable[[Value | None, Any, int], Value]] = {
    "set_to_server_value": _server_value,
    "increment": _increment,
}
