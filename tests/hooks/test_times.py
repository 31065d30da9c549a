import pytest

from hooks.errors import UsageError
from hooks.times import parse_time

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("-10m", NOW - 600),
        ("+1h", NOW + 3600),
        ("-2d", NOW - 172_800),
        ("-30s", NOW - 30),
        ("1769083200", 1_769_083_200),
        ("2026-01-22T12:00:00Z", 1_769_083_200),
        ("2026-01-22T13:00:00+01:00", 1_769_083_200),
    ],
)
def test_a_time_may_be_written_in_many_ways(text: str, seconds: float) -> None:
    assert parse_time(text, NOW, option="--at") == seconds


@pytest.mark.parametrize("text", ["", "soon", "10m", "-10", "-10y", "2026-01-22T12:00:00", "1e9"])
def test_a_malformed_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="-10m"):
        parse_time(text, NOW, option="--at")


@pytest.mark.parametrize(
    "text",
    ["-9999999d", "+9999999d", "999999999999", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00"],
)
def test_a_time_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="out of range"):
        parse_time(text, NOW, option="--at")
