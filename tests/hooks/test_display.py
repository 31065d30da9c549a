import pytest

from hooks.display import age, progress, table


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 0s"),
        (3599, "59m 59s"),
        (3600, "1h 0m"),
        (90000, "1d 1h"),
        (31 * 86400, "31d 0h"),
    ],
)
def test_a_duration_is_shown_by_its_two_largest_units(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_a_table_cuts_no_cell() -> None:
    long = "x" * 300
    assert table(["id", "type"], [[long, "a"], ["b", "c"]]).plain.splitlines() == [
        f"id{' ' * 300}type",
        f"{long}  a",
        f"b{' ' * 301}c",
    ]
    assert table(["id", "type"], []).plain == "id  type"


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("replaying", total=2) as advance:
        advance(1)
        advance(1)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
