import pytest
from google.cloud.firestore_v1.field_path import render_field_path
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.rpc import RpcError
from localcloud.firestore import fieldpaths
from tests.support.firestore_messages import document, value

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8) | st.text(
    "a`\\.", min_size=1, max_size=6
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(tuple)


@given(PATHS)
def test_what_the_client_renders_is_read_back(path: tuple[str, ...]) -> None:
    assert fieldpaths.parse(render_field_path(path)) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b_1", ("a", "b_1")),
        ("`a.b`.c", ("a.b", "c")),
        (r"`a\`b`", ("a`b",)),
        (r"`a\\`.`b`", ("a\\", "b")),
        ("`x&y`", ("x&y",)),
    ],
)
def test_the_documented_syntax(text: str, path: tuple[str, ...]) -> None:
    assert fieldpaths.parse(text) == path


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "1a", "a-b", "`a", "a`", "``", "a b"]
)
def test_a_malformed_path_is_refused(text: str) -> None:
    with pytest.raises(RpcError, match="Invalid property path"):
        fieldpaths.parse(text)


@given(PATHS, st.integers())
def test_what_is_put_is_got_and_deleted(path: tuple[str, ...], number: int) -> None:
    number %= 2**63
    fields = document("a/b", {"other": 1}).fields
    fieldpaths.put(fields, path, value(number))
    found = fieldpaths.get(fields, path)
    assert found is not None
    assert found.integer_value == number
    fieldpaths.delete(fields, path)
    assert fieldpaths.get(fields, path) is None


def test_looking_for_what_is_missing_changes_nothing() -> None:
    stored = document("a/b", {"a": {"b": 1}, "scalar": 2})
    before = stored.SerializeToString(deterministic=True)
    for path in [("x",), ("x", "y"), ("a", "x"), ("a", "b", "c"), ("scalar", "x")]:
        assert fieldpaths.get(stored.fields, path) is None
        fieldpaths.delete(stored.fields, path)
    assert stored.SerializeToString(deterministic=True) == before


def test_a_scalar_on_the_way_becomes_a_map() -> None:
    fields = document("a/b", {"a": 1}).fields
    fieldpaths.put(fields, ("a", "b"), value("x"))
    assert fields["a"] == value({"b": "x"})


def test_the_name_is_a_field_of_queries() -> None:
    stored = document("a/b")
    found = fieldpaths.resolve(stored, fieldpaths.DOCUMENT_ID)
    assert found is not None
    assert found.reference_value == stored.name
