import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.gemini.skim import LARGEST_KEPT, Skimmer

NAMES = frozenset({"a", "state", "ü\n"})

names = st.sampled_from(["a", "state", "ü\n", "other", "b", ""])
texts = st.text() | st.sampled_from(['"', "\\", '\\"', "{[", "]}", "a, b", ": 1"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def kept(value: Any) -> Any:
    """What a skimmer keeps, said another way."""
    if isinstance(value, dict):
        return {name: kept(each) for name, each in value.items() if name in NAMES}
    return [kept(each) for each in value] if isinstance(value, list) else value


def skim(content: bytes, size: int) -> Any:
    skimmer = Skimmer(NAMES)
    for start in range(0, len(content), size):
        skimmer.feed(content[start : start + size])
    return skimmer.result()


@given(documents, st.integers(1, 64), st.sampled_from([None, 2]), st.booleans())
def test_the_members_asked_for_are_kept_however_the_document_is_cut(
    document: Any, size: int, indent: int | None, ascii_only: bool
) -> None:
    content = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert skim(content.encode("utf-8", "surrogatepass"), size) == kept(document)


@given(documents, st.data())
def test_a_document_that_is_cut_short_is_an_error(document: Any, data: st.DataObject) -> None:
    content = json.dumps([document]).encode()
    end = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the parser says
        skim(content[:end], 7)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  ",
        b"{",
        b"}",
        b"[}",
        b"<html>",
        b'{"a" "b" "c"}',
        b"{1}",
        b"[tru]",
        b'"a\x00"',
        b"1 2",
    ],
)
def test_what_is_no_json_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the parser says
        skim(content, 100)


@pytest.mark.parametrize("content", [b'{"a": "%b"}', b"[%b]", b'{"%b": 1}'])
def test_what_is_kept_is_bounded(content: bytes) -> None:
    filler = b"1," * LARGEST_KEPT if content == b"[%b]" else b"x" * LARGEST_KEPT
    with pytest.raises(ValueError, match="too large"):
        skim(content % filler, 65_536)


def test_what_is_skipped_takes_no_memory() -> None:
    skimmer = Skimmer(NAMES)
    piece = b'{"text": "' + b"x\\n" * 5_000 + b'"}, '
    tracemalloc.start()
    try:
        skimmer.feed(b'{"a": {"other": [')
        for _ in range(300):
            skimmer.feed(piece)
        skimmer.feed(b'1], "state": "done"}, "long": "')
        for _ in range(300):
            skimmer.feed(piece.replace(b'"', b'\\"'))
        skimmer.feed(b'"}')
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
    assert skimmer.result() == {"a": {"state": "done"}}
