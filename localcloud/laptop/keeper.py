"""Keeps what a laptop stack holds in a directory, from one run to the next.

The state of all emulators is one file, which is replaced as a whole: within about a second of each
change, and once more when the stack stops. A stack that is killed loses what changed after the last
of these; the next run says from when on.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from localcloud.core.clock import Clock
from localcloud.core.errors import OptionError
from localcloud.runner.process import OnLine

VERSION = 1
_FILE = "stack-state.json"
_LOCK = "stack-state.lock"
_PAUSE_SECONDS = 1.0
_LARGEST_SHARE = 0.1
"""The part of the time that may be spent on snapshots: large ones are made less often."""


class Part(Protocol):
    """An emulator whose state is kept."""

    def mark(self) -> object:
        """Return what differs after any change that `dump` shows."""
        ...

    def dump(self) -> Any:
        """Return the state as a JSON document."""
        ...

    def restore(self, dumped: Any) -> None:
        """Take over the state that `dump` returned."""
        ...


@dataclass(frozen=True)
class Saved:
    """What the file holds: each part's state by name, and whether the stack was `stopped`.

    `until` says up to when every change is in it, in Unix seconds.
    """

    parts: Mapping[str, Any]
    stopped: bool
    until: float


class Keeper:
    """The state file of one directory, locked for one stack by `keeping`."""

    def __init__(
        self, directory: Path, parts: Mapping[str, Part], clock: Clock, on_line: OnLine
    ) -> None:
        self._path = directory / _FILE
        self._parts = parts
        self._clock = clock
        self._on_line = on_line
        self._saved_marks: dict[str, object] = {}
        self._took = 0.0
        self._problem = ""

    def restore(self) -> None:
        """Have the parts take over what an earlier run kept, and say what it lost.

        Raises `OptionError` if the file cannot be read or written.
        """
        saved = read(self._path)
        if saved:
            for name, state in saved.parts.items():
                # An emulator that the environment names has its own state.
                if name in self._parts:
                    self._restore(name, state)
            self._on_line("hooks", self._told(saved))
        try:
            self._write(self._document(stopped=False))
        except OSError as error:
            raise OptionError(f"cannot write {self._path}: {error.strerror}") from error

    async def run(self) -> None:
        """Save after changes, until cancelled."""
        while True:
            await self._clock.sleep(max(_PAUSE_SECONDS, self._took / _LARGEST_SHARE))
            await self.save()

    async def save(self) -> None:
        """Save what has changed; a failure is logged once, and tried again by the next call."""
        now, marks = self._clock.time(), self._marks()
        try:
            if marks != self._saved_marks:
                started = time.monotonic()
                document = self._document(stopped=False)
                writing = asyncio.create_task(asyncio.to_thread(self._write, document))
                try:
                    await asyncio.shield(writing)
                finally:
                    # The thread goes on when this task is cancelled, and `stop` writes next.
                    await asyncio.wait({writing})
                self._took = time.monotonic() - started
                self._saved_marks = marks
            os.utime(self._path, (now, now))
        except OSError as error:
            self._tell(f"cannot write {self._path}: {error.strerror}; changes are not kept")
        else:
            self._problem = ""

    def stop(self) -> None:
        """Save the last state, and that the stack stopped by itself."""
        try:
            self._write(self._document(stopped=True))
        except OSError as error:
            self._tell(f"cannot write {self._path}: {error.strerror}; the last changes are lost")

    def _restore(self, name: str, state: Any) -> None:
        try:
            self._parts[name].restore(state)
        except (KeyError, TypeError, ValueError) as error:
            raise OptionError(_unreadable(self._path, f"{name}: {error!r}")) from error

    def _marks(self) -> dict[str, object]:
        return {name: part.mark() for name, part in self._parts.items()}

    def _document(self, *, stopped: bool) -> dict[str, Any]:
        parts = {name: part.dump() for name, part in self._parts.items()}
        return {"version": VERSION, "stopped": stopped, "parts": parts}

    def _write(self, document: Mapping[str, Any]) -> None:
        # Written beside the file, then renamed: never half written, never readable by others.
        draft = self._path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def _told(self, saved: Saved) -> str:
        if saved.stopped:
            return f"continues with what {self._path.parent} keeps"
        until = datetime.fromtimestamp(saved.until, UTC)
        return (
            f"the stack that used {self._path.parent} was killed: continues as of"
            f" {until:%Y-%m-%dT%H:%M:%SZ}; what changed after that is lost"
        )

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._on_line("hooks", problem)
        self._problem = problem


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Lock a directory, which is made if need be, for one stack.

    Raises `OptionError` if another stack uses it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (directory / _LOCK).open("w")
    except OSError as error:
        raise OptionError(f"cannot keep anything in {directory}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OptionError(
                f"another stack uses {directory}; stop it, or keep this one's state elsewhere"
            ) from None
        yield


def read(path: Path) -> Saved | None:
    """Return what a state file holds, None if there is none; raises `OptionError`."""
    try:
        document = json.loads(path.read_text("ascii"))
        version = document["version"]
        if version == VERSION:
            return Saved(document["parts"], document["stopped"], path.stat().st_mtime)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionError(_unreadable(path, repr(error))) from error
    raise OptionError(
        f"{path} is of version {version}, and this command reads version {VERSION}: keep the state"
        " in another directory"
    )


def _unreadable(path: Path, reason: str) -> str:
    return f"{path} does not hold the state of a stack ({reason}); move it away to begin anew"
