"""How the operator's commands show durations and progress."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.text import Text

from hooks import console

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def age(seconds: float) -> str:
    """Return a duration for the eye: its two largest units, e.g. 3d 4h."""
    left = int(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size or parts:
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join([*parts, f"{left}s"][:2])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Text:
    """Return columns under their heads, however wide: an id that is cut off is of no use."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        return "  ".join(padded).rstrip()

    return Text("\n").join([Text(line(heads), "bold"), *(Text(line(row)) for row in rows)])


@contextlib.contextmanager
def progress(
    title: str, *, shown: bool = True, total: float | None = None
) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error, where that is a terminal; give what moves it on."""
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
