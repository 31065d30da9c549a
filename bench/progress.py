"""Telling how far the benchmark has come, on standard error."""

import sys
from collections.abc import Callable

Say = Callable[[str], None]
"""Takes one line, without its end."""


def say(line: str) -> None:
    """Write a line at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
