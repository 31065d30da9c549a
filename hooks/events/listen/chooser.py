"""Choosing one of the lines on a terminal, to have its event sent again."""

import asyncio
import contextlib
import os
import re
import termios
import tty
from collections.abc import Callable, Iterator, Sequence

from rich.live import Live
from rich.text import Text

from hooks import console
from hooks.events.listen.forward import Answer, row
from hooks.subscription import Received

_KEYS = re.compile(rb"\x1b[\[O][AB]|[\r\nkj]")
_UP = (b"\x1b[A", b"\x1bOA", b"k")
_DOWN = (b"\x1b[B", b"\x1bOB", b"j")
_MOST = 200
_HELP = "Enter sends it again, ↑ ↓ choose another, Ctrl-C ends"


class Choice:
    """The lines so far, of which the newest is chosen until the user chooses another."""

    def __init__(self) -> None:
        self._answers: list[Answer] = []
        # Counted from the newest.
        self._above = 0

    @property
    def chosen(self) -> Answer | None:
        """The line that Enter sends again."""
        return self._answers[-1 - self._above] if self._answers else None

    def add(self, answer: Answer) -> None:
        """Add a line; one that the user has chosen stays chosen."""
        self._answers = [*self._answers, answer][-_MOST:]
        if self._above:
            self._above = min(self._above + 1, len(self._answers) - 1)

    def press(self, key: bytes) -> Answer | None:
        """Move by one line, or return the line that is to be sent again."""
        if key in _UP:
            self._above = min(self._above + 1, max(len(self._answers) - 1, 0))
        elif key in _DOWN:
            self._above = max(self._above - 1, 0)
        else:
            return self.chosen
        return None


@contextlib.contextmanager
def keys(terminal: int, on_key: Callable[[bytes], None]) -> Iterator[None]:
    """Have each key that is pressed at a terminal (its descriptor) passed on, without an echo.

    Ctrl-C stays a signal.
    """
    before = termios.tcgetattr(terminal)
    loop = asyncio.get_running_loop()

    def read() -> None:
        typed = os.read(terminal, 1024)
        if not typed:
            loop.remove_reader(terminal)
        for key in pressed(typed):
            on_key(key)

    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def pressed(typed: bytes) -> Sequence[bytes]:
    """Return the keys of ours in what a terminal has sent."""
    return _KEYS.findall(typed)


@contextlib.contextmanager
def choosing(
    terminal: int, again: Callable[[Received], None]
) -> Iterator[Callable[[Answer], None]]:
    """Show the chosen line below all others; give the function that adds a line."""
    choice = Choice()
    with Live(console=console.out, auto_refresh=False, transient=True) as live:

        def draw() -> None:
            if answer := choice.chosen:
                line = Text("▸ ", "cyan") + row(answer, console.width() - 2)
                live.update(Text("\n").join([line, Text(_HELP, "dim")]), refresh=True)

        def press(key: bytes) -> None:
            if answer := choice.press(key):
                again(answer.message)
            draw()

        def add(answer: Answer) -> None:
            console.out.print(row(answer, console.width()))
            choice.add(answer)
            draw()

        with keys(terminal, press):
            yield add
