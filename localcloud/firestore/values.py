"""The order of values, across types and within each.

https://cloud.google.com/firestore/docs/concepts/data-types: null, booleans, NaN, numbers (integers
and doubles by value), timestamps, strings (by UTF-8 bytes), bytes, references (by segments),
geographical points, arrays, maps. Keys compare as values do; values are equal (3 and 3.0)
where their keys are.
"""

import math
from collections.abc import Callable
from typing import Any

from localcloud.core.statuses import invalid
from localcloud.firestore import names
from localcloud.firestore.messages import Value

Key = tuple[Any, ...]

NULL, BOOLEAN, NAN, NUMBER, TIMESTAMP, STRING, BYTES, REFERENCE, POINT, ARRAY, MAP = range(11)


def key(value: Value) -> Key:
    """Return a value's sort key: its type's rank, then its value."""
    kind = value.WhichOneof("value_type")
    if kind not in _KEYS:
        raise invalid(f"A value of type {kind or 'unset'} cannot be compared.")
    return _KEYS[kind](getattr(value, kind))


def comparable(left: Key, right: Key) -> bool:
    """Return whether two values are of one type, which an inequality needs."""
    return _type(left) == _type(right)


def _type(of: Key) -> int:
    return NUMBER if of[0] == NAN else int(of[0])


def _number(number: float) -> Key:
    return (NAN,) if math.isnan(number) else (NUMBER, number)


def _array(array: Any) -> Key:
    return (ARRAY, tuple(key(element) for element in array.values))


def _map(message: Any) -> Key:
    fields = message.fields
    return (MAP, tuple((name, key(fields[name])) for name in sorted(fields)))


# Code points sort as their UTF-8 bytes do, so strings compare as they are.
_KEYS: dict[str, Callable[[Any], Key]] = {
    "null_value": lambda _: (NULL,),
    "boolean_value": lambda value: (BOOLEAN, value),
    "integer_value": lambda value: (NUMBER, value),
    "double_value": _number,
    "timestamp_value": lambda value: (TIMESTAMP, value.seconds, value.nanos),
    "string_value": lambda value: (STRING, value),
    "bytes_value": lambda value: (BYTES, value),
    "reference_value": lambda value: (REFERENCE, names.path_key(value)),
    "geo_point_value": lambda value: (POINT, value.latitude, value.longitude),
    "array_value": _array,
    "map_value": _map,
}
