"""The progress of a replay, in a file from which another run can resume it."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hooks.errors import UsageError
from hooks.events.retained import Selection


@dataclass(kw_only=True)
class Checkpoint:
    """A replay in progress.

    `replay` is its id. An event that bears it is fanned out once, however often it is published, so
    the numbers here may lag behind. The cursor is `subscription` (what it has acknowledged is
    done), or `files_done` if `archive` names a directory. `routes` are the only ones that get the
    events; if empty, all do. Times are RFC 3339. Reading begins at `start`; `until` is always set,
    so that a replay ends.
    """

    replay: str
    topic: str
    subscription: str
    start: str
    until: str
    since: str = ""
    type: str = ""
    ids: list[str] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)
    archive: str = ""
    files_done: list[str] = field(default_factory=list)
    scanned: int = 0
    replayed: int = 0
    refused: int = 0

    @property
    def selection(self) -> Selection:
        """The events to replay."""
        return Selection(
            ids=frozenset(self.ids),
            type=self.type,
            since=datetime.fromisoformat(self.since) if self.since else None,
            until=datetime.fromisoformat(self.until),
        )

    def save(self, path: Path) -> None:
        """Write the file atomically; raises `UsageError` if that fails."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps(asdict(self), indent=2))
            fresh.replace(path)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; raises `UsageError` if the file is not one."""
    try:
        found: Any = json.loads(path.read_text())
        checkpoint = Checkpoint(**found)
        _ = checkpoint.selection, datetime.fromisoformat(checkpoint.start)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a checkpoint of a replay: {error}") from error
    return checkpoint
