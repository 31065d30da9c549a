"""The file by which `hooks send`, `hooks tail` and others find a running stack.

A running stack describes itself in `.hooks/stack.json` of its working directory and holds a lock
beside it. The lock ends with the process, so the description of a killed stack is recognised as
stale. The file holds addresses and names, and no secret.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hooks.errors import NoStack, UsageError

_HOME = ".hooks"
_DESCRIPTION = "stack.json"
_LOCK = "lock"


@dataclass(frozen=True, kw_only=True)
class Description:
    """A running stack: the addresses of its parts, and the names of what is in it.

    `webhook` is the id of the webhook that was registered when the stack started. `topics` maps
    `ingress`, `events`, `dead-letter` and the routes' names to full names. `variables` is what a
    client needs in its environment. A deployment to a local cloud has a registrar besides, at
    `token_url` the tokens that may invoke it, and the `subscribers` of Terraform by name.
    """

    pid: int
    command: str
    gemini_url: str
    receive_url: str
    dispatch_url: str
    webhook: str
    topics: Mapping[str, str]
    variables: Mapping[str, str]
    registrar_url: str = ""
    token_url: str = ""
    subscribers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class StackFile:
    """The description file of a locked directory."""

    def __init__(self, home: Path) -> None:
        self.path = home / _DESCRIPTION

    def announce(self, stack: Description) -> None:
        """Write the description, readable by this user alone."""
        fresh = self.path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(stack), indent=2))
        fresh.replace(self.path)


@contextlib.contextmanager
def locked(directory: Path | None = None) -> Iterator[StackFile]:
    """Lock a directory (the working directory) for one stack while the block lasts.

    Raises `UsageError` if another stack runs there.
    """
    home = (directory or Path.cwd()) / _HOME
    home.mkdir(mode=0o700, exist_ok=True)
    file = StackFile(home)
    with (home / _LOCK).open("w") as lock:
        if not _acquired(lock.fileno()):
            raise UsageError(
                f"another stack runs in {home.parent}; stop it, or start this one in another"
                " directory"
            )
        file.path.unlink(missing_ok=True)
        try:
            yield file
        finally:
            file.path.unlink(missing_ok=True)


def _acquired(lock: int) -> bool:
    # `find` holds the lock for a moment, to see whether a stack holds it.
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def find(start: Path | None = None) -> Description:
    """Return the stack that runs in `start` (the working directory) or the nearest one above it.

    Raises `NoStack`, which says how to start one.
    """
    here = (start or Path.cwd()).resolve()
    for directory in (here, *here.parents):
        if stack := _read(directory / _HOME):
            return stack
    raise NoStack(
        f"no laptop stack runs in {here} or above it; start one with `hooks dev` in another"
        " terminal, and run this command in the same directory"
    )


async def until_ended(start: Path | None = None) -> None:
    """Return once the stack that `find` returns has ended, also if it was killed."""
    here = (start or Path.cwd()).resolve()
    home = next(each / _HOME for each in (here, *here.parents) if _read(each / _HOME))
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wait() -> None:
        with (home / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
        # The loop may be closed by now.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    # A daemon: the command may end before the stack does.
    threading.Thread(target=wait, name="until-ended", daemon=True).start()
    await ended.wait()


async def beside(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` beside the stack that `find` returns; raises `NoStack` once the stack has ended.

    Raises what `work` raises, and returns when it does.
    """
    working, ending = asyncio.ensure_future(work), asyncio.ensure_future(until_ended())
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
    finally:
        working.cancel()
        ending.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)
    raise NoStack("the stack has ended")


def _read(home: Path) -> Description | None:
    try:
        with (home / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        # The holder has described itself, or is about to.
        with contextlib.suppress(FileNotFoundError):
            return Description(**json.loads((home / _DESCRIPTION).read_text()))
    return None
