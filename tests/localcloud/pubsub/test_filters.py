import json
import string
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.pubsub.filter_parser import MAX_FILTER_BYTES, FilterSyntaxError, parse_filter
from localcloud.pubsub.filters import And, Equals, Everything, Filter, Has, HasPrefix, Not, Or


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("", Everything()),
        ("attributes:ce-type", Has("ce-type")),
        ('attributes:"iana.org/language_tag"', Has("iana.org/language_tag")),
        ('attributes.ce-type = "batch.succeeded"', Equals("ce-type", "batch.succeeded")),
        ('attributes.ce-type="batch.succeeded"', Equals("ce-type", "batch.succeeded")),
        ('attributes."a b" = "c"', Equals("a b", "c")),
        ('attributes.k != "v"', Not(Equals("k", "v"))),
        ('hasPrefix(attributes.ce-type, "batch.")', HasPrefix("ce-type", "batch.")),
        ('hasPrefix ( attributes.ce-type , "batch." )', HasPrefix("ce-type", "batch.")),
        ("NOT attributes:k", Not(Has("k"))),
        ("-attributes:k", Not(Has("k"))),
        ("NOT NOT attributes:k", Has("k")),
        ("NOT (attributes:a OR attributes:b)", Not(Or((Has("a"), Has("b"))))),
        ("attributes:a AND attributes:b", And((Has("a"), Has("b")))),
        ("attributes:a OR attributes:b OR attributes:c", Or((Has("a"), Has("b"), Has("c")))),
        ("NOT attributes:a AND attributes:b", And((Not(Has("a")), Has("b")))),
        (
            "attributes:a AND (attributes:b OR attributes:c)",
            And((Has("a"), Or((Has("b"), Has("c"))))),
        ),
        ("((attributes:a))", Has("a")),
        ("attributes:a\n\tAND attributes:b", And((Has("a"), Has("b")))),
    ],
)
def test_the_documented_syntax(text: str, parsed: Filter) -> None:
    assert parse_filter(text) == parsed


@pytest.mark.parametrize(
    ("escaped", "value"),
    [
        (r"\"", '"'),
        (r"\\", "\\"),
        (r"\n\t", "\n\t"),
        (r"\u307F\u3093", "みん"),
        (r"\U0001F600", "😀"),
        (r"\x41\101", "AA"),
        ("みんな", "みんな"),
    ],
)
def test_escapes_in_strings(escaped: str, value: str) -> None:
    assert parse_filter(f'attributes.k = "{escaped}"') == Equals("k", value)


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "attributes:",
        "attributes.k",
        "attributes.k =",
        "attributes.k = 'v'",
        'attributes.k == "v"',
        'attributes.k < "v"',
        'attributes.k = "v',
        'attributes.k = "\\q"',
        'attributes.k = "\\U00110000"',
        'attributes.k = "\\u12"',
        'attributes.a.b = "v"',
        'attributes:k = "v"',
        'data = "v"',
        "attributes:a attributes:b",
        "attributes:a and attributes:b",
        "attributes:a AND",
        "AND attributes:a",
        "NOT",
        "attributes:NOT",
        "attributes:-k",
        "attributes:a)",
        "()",
        'hasPrefix(attributes.k "v")',
        'hasPrefix(attributes.k, "v"',
        'hasPrefix("k", "v")',
        "attributes:a OR attributes:b AND attributes:c",
        "attributes:€",
        "(" * MAX_FILTER_BYTES,
        "-" * MAX_FILTER_BYTES,
    ],
)
def test_malformed_filters_are_refused(text: str) -> None:
    with pytest.raises(FilterSyntaxError):
        parse_filter(text)


def test_an_error_says_what_and_where() -> None:
    with pytest.raises(FilterSyntaxError, match="at position 15, found v"):
        parse_filter("attributes.k = v")


def test_the_bound_is_in_bytes() -> None:
    longest = 'attributes.k = "' + "é" * 119 + 'x"'
    assert len(longest.encode()) == MAX_FILTER_BYTES
    assert parse_filter(longest) == Equals("k", "é" * 119 + "x")
    with pytest.raises(FilterSyntaxError, match="256 bytes"):
        parse_filter(longest.replace("x", "xx"))


@pytest.mark.parametrize(
    ("text", "attributes", "wanted"),
    [
        ("attributes:k", {"k": ""}, True),
        ("attributes:k", {}, False),
        ('attributes.k = "v"', {"k": "v"}, True),
        ('attributes.k = "v"', {"k": "V"}, False),
        ('attributes.k = ""', {}, False),
        ('attributes.k != "v"', {"k": "w"}, True),
        ('attributes.k != "v"', {}, True),
        ('hasPrefix(attributes.k, "ab")', {"k": "abc"}, True),
        ('hasPrefix(attributes.k, "")', {}, False),
    ],
)
def test_what_a_filter_lets_through(text: str, attributes: Mapping[str, str], wanted: bool) -> None:
    assert parse_filter(text).matches(attributes) is wanted


KEYS = st.sampled_from(["a", "b-c", "d_e", "f g", 'h"i', "é"])
VALUES = st.sampled_from(["", "x", "xy", '"', "\\", "é\n"])
CONDITIONS: st.SearchStrategy[Filter] = st.recursive(
    st.builds(Has, KEYS) | st.builds(Equals, KEYS, VALUES) | st.builds(HasPrefix, KEYS, VALUES),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.tuples(inner, inner))
        | st.builds(Or, st.tuples(inner, inner, inner))
    ),
    max_leaves=4,
)


def _render(condition: Filter) -> str:
    match condition:
        case Has(key):
            return f"attributes:{_key(key)}"
        case Equals(key, value):
            return f"attributes.{_key(key)} = {json.dumps(value)}"
        case HasPrefix(key, prefix):
            return f"hasPrefix(attributes.{_key(key)}, {json.dumps(prefix)})"
        case Not(inner):
            return f"NOT ({_render(inner)})"
        case And(inner):
            return " AND ".join(f"({_render(each)})" for each in inner)
        case Or(inner):
            return " OR ".join(f"({_render(each)})" for each in inner)
    raise AssertionError(condition)


def _key(key: str) -> str:
    return key if set(key) <= {*string.ascii_letters, "-", "_"} else json.dumps(key)


def _evaluate(condition: Filter, attributes: Mapping[str, str]) -> bool:
    match condition:
        case Has(key):
            return key in attributes
        case Equals(key, value):
            return key in attributes and attributes[key] == value
        case HasPrefix(key, prefix):
            return key in attributes and attributes[key][: len(prefix)] == prefix
        case Not(inner):
            return not _evaluate(inner, attributes)
        case And(inner):
            return False not in [_evaluate(each, attributes) for each in inner]
        case Or(inner):
            return True in [_evaluate(each, attributes) for each in inner]
    raise AssertionError(condition)


@given(CONDITIONS.filter(lambda c: len(_render(c).encode()) <= MAX_FILTER_BYTES))
def test_what_is_written_is_read_back(condition: Filter) -> None:
    assert parse_filter(_render(condition)) == condition


@given(
    CONDITIONS.filter(lambda c: len(_render(c).encode()) <= MAX_FILTER_BYTES),
    st.dictionaries(KEYS, VALUES),
)
def test_matching_follows_logic(condition: Filter, attributes: dict[str, str]) -> None:
    assert parse_filter(_render(condition)).matches(attributes) is _evaluate(condition, attributes)


FRAGMENTS = st.sampled_from(
    [
        "attributes",
        ":",
        ".",
        "k",
        '"v"',
        "=",
        "!=",
        "AND",
        "OR",
        "NOT",
        "-",
        "(",
        ")",
        ",",
        " ",
        "hasPrefix",
        '"',
        "\\",
        "é",
        "\x00",
    ]
)


@given(st.lists(FRAGMENTS, max_size=40).map("".join) | st.text())
def test_any_text_is_a_filter_or_a_syntax_error(text: str) -> None:
    try:
        parsed = parse_filter(text)
    except FilterSyntaxError as error:
        assert str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert parsed.matches({"k": "v"}) in {True, False}
