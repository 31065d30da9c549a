from collections.abc import Sequence

import pytest

from hooks.display import age, document, fitting, progress, table, wrapped


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


HEADS = ("id", "type", "state", "replay")
IMPORTANCE = ("id", "state", "replay", "type")
ROWS = [("x" * 36, "interaction.requires_action", "done", ""), ("y", "a.b", "claimed", "")]


def shown(width: int, rows: Sequence[Sequence[str]] = ROWS) -> list[str]:
    return table(HEADS, rows, importance=IMPORTANCE, width=width).plain.splitlines()


def test_a_table_leaves_out_columns_that_are_empty() -> None:
    assert shown(120) == [
        f"id{' ' * 36}type{' ' * 25}state",
        f"{'x' * 36}  interaction.requires_action  done",
        f"y{' ' * 37}a.b{' ' * 26}claimed",
    ]
    assert shown(120, [("x", "", "", "r")]) == ["id  replay", "x   r"]
    assert shown(120, [("x", "", "", "r"), ("y", "", "", "")])[2] == "y   -"


def test_a_narrow_table_shrinks_its_gaps_and_then_drops_the_least_important_columns() -> None:
    assert shown(73)[1] == f"{'x' * 36} interaction.requires_action done"
    assert shown(71)[1] == f"{'x' * 36} done"
    assert shown(10)[1] == "x" * 36


def test_in_120_columns_what_does_not_fit_follows_below_its_row() -> None:
    rows = [("x" * 90, "interaction.requires_action", "done", "r1"), ("y", "", "done", "")]
    assert [line.split() for line in shown(120, rows)] == [
        ["id", "state", "replay"],
        ["x" * 90, "done", "r1"],
        ["type=interaction.requires_action"],
        ["y", "done", "-"],
    ]


def test_a_less_important_column_that_fits_stays() -> None:
    assert fitting([10, 50, 5], 20, 1) == [0, 2]


def test_a_document_breaks_between_words() -> None:
    lines = document({"type": "a", "data": {"id": "x" * 50}}, 60).splitlines()
    assert lines == [f'{" " * 9}{{"type": "a", "data": {{"id":', f'{" " * 9}"{"x" * 50}"}}}}']


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("replaying", total=2) as advance:
        advance(1)
        advance(1)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_wrapped_text_leaves_its_words_and_its_commands_whole() -> None:
    text = "ask again with `hooks events replay --id x`, or look at a-very-long-word"
    assert wrapped(text, "  ", 24).splitlines() == [
        "ask again with",
        "  `hooks events replay --id x`,",
        "  or look at",
        "  a-very-long-word",
    ]
