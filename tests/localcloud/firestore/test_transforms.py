from typing import Any

import pytest

from localcloud.core.rpc import RpcError
from localcloud.firestore import transforms
from localcloud.firestore.messages import FieldTransform
from tests.support.firestore_messages import document, value

NOW = 1_800_000_000_123_456


def test_the_result_is_what_was_set() -> None:
    fields = document("c/d", {"n": 1}).fields
    result = transforms.apply(fields, FieldTransform(field_path="n", increment=value(2)), NOW)
    assert result == value(3) == fields["n"]


def test_a_server_time_has_milliseconds() -> None:
    fields = document("c/d").fields
    transforms.apply(fields, FieldTransform(field_path="a.b", set_to_server_value=1), NOW)
    stored = fields["a"].map_value.fields["b"].timestamp_value
    assert (stored.seconds, stored.nanos) == (1_800_000_000, 123_000_000)


@pytest.mark.parametrize(
    ("kind", "operand"),
    [
        ("maximum", value(1)),
        ("minimum", value(1)),
        ("append_missing_elements", value([1]).array_value),
        ("remove_all_from_array", value([1]).array_value),
    ],
)
def test_other_transforms_are_refused_by_name(kind: str, operand: Any) -> None:
    transform = FieldTransform(field_path="n", **{kind: operand})
    with pytest.raises(RpcError, match=f"does not imitate the transform {kind}"):
        transforms.apply(document("c/d").fields, transform, NOW)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ({"field_path": "n"}, "names no operation"),
        ({"field_path": "n", "increment": value("x")}, "integer or a double"),
        ({"field_path": "n", "set_to_server_value": 0}, "REQUEST_TIME"),
        ({"field_path": "n..m", "increment": value(1)}, "Invalid property path"),
    ],
)
def test_a_malformed_transform_is_refused(transform: dict[str, Any], message: str) -> None:
    with pytest.raises(RpcError, match=message):
        transforms.apply(document("c/d").fields, FieldTransform(**transform), NOW)
