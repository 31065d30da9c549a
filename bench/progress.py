"""Progress messages on standard error."""

import sys
from collections.abc import Callable

Say = Callable[[str], None]
"""Takes one line without its newline."""


def say(line: str) -> None:
    """Write a line and flush."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
