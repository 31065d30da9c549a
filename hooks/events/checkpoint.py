"""How far a replay has got, written down so that another run can go on with it."""

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
    """A replay under way.

    `replay` is its id: whatever bears it is fanned out once, however often it is published. So the
    account here may lag behind what has happened. `subscription` is the cursor: what it has
    acknowledged is done. Where `archive` names a directory, `files_done` is. `routes` are the only
    ones that get the events; all if there are none. Times are RFC 3339, `start` the one to begin
    at; `until` is always set, so that a replay ends.
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
        """Which events are meant."""
        return Selection(
            ids=frozenset(self.ids),
            type=self.type,
            since=datetime.fromisoformat(self.since) if self.since else None,
            until=datetime.fromisoformat(self.until),
        )

    def save(self, path: Path) -> None:
        """Write it down, all or nothing; raises `UsageError` where that cannot be done."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps(asdict(self), indent=2))
            fresh.replace(path)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; raises `UsageError` for what is none."""
    try:
        found: Any = json.loads(path.read_text())
        checkpoint = Checkpoint(**found)
        _ = checkpoint.selection, datetime.fromisoformat(checkpoint.start)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is no checkpoint of a replay: {error}") from error
    return checkpoint
