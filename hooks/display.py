"""How the commands show times, durations, tables and progress."""

import contextlib
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.text import Text

from hooks import console

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))
_GAP = 2
_INDENT = " " * 9
_COMMAND = re.compile(r"`[^`]+`")
_NO_BREAK = "\N{NO-BREAK SPACE}"

WIDE = 120
"""Columns of a terminal from which on nothing is left out."""


def age(seconds: float) -> str:
    """Return a duration in its two largest units, e.g. 3d 4h."""
    left = int(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size or parts:
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join([*parts, f"{left}s"][:2])


def counted(number: int, what: str) -> str:
    """Return a number and what it counts, which is regular: 1 event, 2 events."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def moment(time: datetime, now: datetime) -> str:
    """Return a time in UTC, with its date only if that is not today."""
    shown = time.astimezone(UTC)
    return f"{shown:%H:%M:%S}" if shown.date() == now.date() else f"{shown:%m-%d %H:%M:%S}"


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, importance: Sequence[str], width: int
) -> Text:
    """Return columns under their heads; no cell is cut, and no line is longer than `width`.

    A column whose cells are all empty is left out. If the rest does not fit, the gaps shrink to one
    space; then columns give way, the last of `importance` first. The first always stays. From 120
    columns on, what gives way follows below its row, so that nothing is missing.
    """
    columns = {
        head: [head, *cells] for head, *cells in zip(heads, *rows, strict=True) if any(cells)
    }
    widths = {head: max(map(len, cells)) for head, cells in columns.items()}
    gap = _GAP if sum(widths.values()) + _GAP * (len(widths) - 1) <= width else 1
    ranked = [head for head in importance if head in widths]
    kept = {ranked[number] for number in fitting([widths[each] for each in ranked], width, gap)}

    def line(cells: Mapping[str, str]) -> str:
        padded = (f"{cell or '-':<{widths[head]}}" for head, cell in cells.items() if head in kept)
        return (" " * gap).join(padded).rstrip()

    def below(cells: Mapping[str, str]) -> str:
        entries = [f"{head}={cell}" for head, cell in cells.items() if cell and head not in kept]
        return "  ".join(["", *entries]) if entries and width >= WIDE else ""

    first, *rest = (
        dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)
    )
    lines = [Text(line(first), "bold")]
    for cells in rest:
        lines.append(Text(line(cells)))
        if details := below(cells):
            lines.append(Text(details, "dim"))
    return Text("\n").join(lines)


def fitting(widths: Sequence[int], width: int, gap: int) -> list[int]:
    """Return which cells share a line of `width`: the first, and each next one that still fits."""
    kept: list[int] = []
    taken = -gap
    for number, wanted in enumerate(widths):
        if not kept or taken + gap + wanted <= width:
            kept.append(number)
            taken += gap + wanted
    return kept


def wrapped(text: str, indent: str, width: int) -> str:
    """Return a text that begins after `indent`, its further lines indented.

    Words stay whole, and so do commands in backticks, which are to be copied.
    """
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _NO_BREAK), text)
    lines = textwrap.wrap(
        whole, max(1, width - len(indent)), break_long_words=False, break_on_hyphens=False
    )
    return f"\n{indent}".join(lines).replace(_NO_BREAK, " ")


def document(value: object, width: int) -> str:
    """Return a JSON document to stand below its row; its lines break between words."""
    return textwrap.fill(
        json.dumps(value, ensure_ascii=False),
        width,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


@contextlib.contextmanager
def progress(
    title: str, *, shown: bool = True, total: float | None = None
) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error if that is a terminal; give the function that advances it."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Elapsed(),
        console=console.err,
        transient=True,
        disable=not (shown and console.err.is_terminal),
    )
    with bar:
        task = bar.add_task(title, total=total)

        def advance(count: int) -> None:
            bar.advance(task, count)

        yield advance
