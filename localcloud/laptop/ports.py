"""The ports of a laptop stack."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from localcloud.core.errors import OptionError

BASE = 8700
"""The first of the ports that `hooks dev` listens on, unless `--port-base` says otherwise."""

COUNT = 4


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where each part of a stack listens on the loopback address; 0 is a free port."""

    receive: int = 0
    dispatch: int = 0
    gemini: int = 0
    emulators: int = 0

    @classmethod
    def starting_at(cls, base: int) -> Self:
        """Return `COUNT` ports in a row; for 0, free ones."""
        if not base:
            return cls()
        return cls(receive=base, dispatch=base + 1, gemini=base + 2, emulators=base + 3)


@contextlib.contextmanager
def taking(port: int, what: str) -> Iterator[None]:
    """Turn a failure to listen on a port into an `OptionError` that names it and its use."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OptionError(
            f"cannot listen on port {port}, for {what}: {reason.lower()}; stop what uses it, or"
            " choose other ports with --port-base (0: free ones)"
        ) from error
