import pytest

from localcloud.core.rpc import RpcError
from localcloud.firestore import writes
from localcloud.firestore.messages import Document, FieldTransform, Precondition, Timestamp, Write
from tests.support.firestore_messages import DATABASE, ROOT, document, value

NAME = f"{ROOT}/c/d"
NOW = 1_800_000_000_000_001


def stored(n: int = 1) -> Document:
    created, _ = writes.apply(Write(update=document("c/d", {"n": n})), NAME, None, NOW - 1000)
    assert created is not None
    return created


def test_a_write_without_an_operation_is_refused() -> None:
    with pytest.raises(RpcError, match="update, a delete or a transform"):
        writes.target(Write(), DATABASE)


def test_a_write_that_is_a_transform_is_refused_by_name() -> None:
    with pytest.raises(RpcError, match="does not imitate a write that is a transform"):
        writes.target(Write(transform={"document": NAME}), DATABASE)


def test_the_document_before_is_left_alone() -> None:
    old = stored()
    before = old.SerializeToString(deterministic=True)
    update = Write(update=document("c/d", {"n": 2}), update_mask={"field_paths": ["n"]})
    new, result = writes.apply(update, NAME, old, NOW)
    assert new is not None
    assert old.SerializeToString(deterministic=True) == before
    assert new.create_time == old.create_time
    assert new.update_time == result.update_time != old.update_time


def test_an_empty_mask_changes_nothing_and_creates_what_is_missing() -> None:
    touch = Write(update=document("c/d", {"n": 9}), update_mask={})
    same, result = writes.apply(touch, NAME, stored(), NOW)
    assert same == stored()
    assert result.update_time == stored().update_time
    made, _ = writes.apply(touch, NAME, None, NOW)
    assert made is not None
    assert len(made.fields) == 0


def test_a_precondition_must_be_aligned_to_microseconds() -> None:
    precondition = Precondition(update_time=Timestamp(seconds=1, nanos=1))
    with pytest.raises(RpcError, match="microseconds"):
        writes.apply(Write(delete=NAME, current_document=precondition), NAME, stored(), NOW)


def test_an_empty_precondition_asks_nothing() -> None:
    deleted, _ = writes.apply(
        Write(delete=NAME, current_document=Precondition()), NAME, stored(), NOW
    )
    assert deleted is None


def test_transforms_are_bounded() -> None:
    many = [FieldTransform(field_path="n", increment=value(1))] * (writes.MAX_TRANSFORMS + 1)
    with pytest.raises(RpcError, match="more than 500 transforms"):
        writes.apply(Write(update=document("c/d"), update_transforms=many), NAME, None, NOW)
