"""How `hooks send`, `hooks tail` and others find the stack that runs beside them.

A running stack describes itself in `.hooks/stack.json` of its working directory, and holds a lock
beside it. A lock goes with its process, so a description that a killed stack left behind is
recognised. It holds addresses and names, and no secret.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hooks.errors import NoStack, UsageError

_HOME = ".hooks"
_DESCRIPTION = "stack.json"
_LOCK = "lock"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A stack that runs: where the simulator and the receiver answer, and what else is named.

    `webhook` is the id of the registered webhook. `topics` maps `ingress`, `events`, `dead-letter`
    and the routes' names to full names. `variables` is what a client's environment needs.
    """

    pid: int
    command: str
    gemini_url: str
    receive_url: str
    dispatch_url: str
    webhook: str
    topics: Mapping[str, str]
    variables: Mapping[str, str]


class Claim:
    """The right to describe the stack of a directory."""

    def __init__(self, home: Path) -> None:
        self.path = home / _DESCRIPTION

    def announce(self, running: Running) -> None:
        """Describe the stack to whoever looks for it, readable by this user alone."""
        fresh = self.path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(running), indent=2))
        fresh.replace(self.path)


@contextlib.contextmanager
def claimed(directory: Path | None = None) -> Iterator[Claim]:
    """Claim a directory (the working directory) for one stack while the block lasts.

    Raises `UsageError` if another stack runs there.
    """
    home = (directory or Path.cwd()) / _HOME
    home.mkdir(mode=0o700, exist_ok=True)
    claim = Claim(home)
    with (home / _LOCK).open("w") as lock:
        if not _acquired(lock.fileno()):
            raise UsageError(
                f"another stack runs in {home.parent}; stop it, or start this one in another"
                " directory"
            )
        claim.path.unlink(missing_ok=True)
        try:
            yield claim
        finally:
            claim.path.unlink(missing_ok=True)


def _acquired(lock: int) -> bool:
    # Whoever looks for a stack holds the lock for a moment, to see that nobody else does.
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def find(start: Path | None = None) -> Running:
    """Return the stack that runs in `start` (the working directory) or the nearest above it.

    Raises `NoStack` with what to do if there is none.
    """
    here = (start or Path.cwd()).resolve()
    for directory in (here, *here.parents):
        if running := _read(directory / _HOME):
            return running
    raise NoStack(
        f"no laptop stack runs in {here} or above it; start one with `hooks dev` (or `make dev`)"
        " in another terminal, and call this from the same directory"
    )


async def until_gone(start: Path | None = None) -> None:
    """Return once the stack that `find` returns has ended, however it ended."""
    here = (start or Path.cwd()).resolve()
    home = next(each / _HOME for each in (here, *here.parents) if _read(each / _HOME))
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()

    def wait() -> None:
        with (home / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
        # The loop may have ended meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(gone.set)

    # Nobody has to wait for this thread: it may well outlast the command's own end.
    threading.Thread(target=wait, name="until-gone", daemon=True).start()
    await gone.wait()


def _read(home: Path) -> Running | None:
    try:
        with (home / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        # Somebody holds it: either a stack that has described itself, or one that is about to.
        with contextlib.suppress(FileNotFoundError):
            return Running(**json.loads((home / _DESCRIPTION).read_text()))
    return None
