"""The file that remembers what `hooks listen` has sent, so that it can be sent again."""

import base64
import json
import os
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hooks.errors import HooksError, UsageError
from hooks.subscription import Received

_MOST = 1000


@dataclass(frozen=True)
class Sent:
    """An event, where it was sent, and the project that it came from."""

    message: Received
    url: str
    project: str


class Record:
    """The last events that were sent from a directory, in `.hooks`, readable by this user alone."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / ".hooks" / "forwarded.jsonl"

    def begin(self) -> None:
        """Make the file, or forget all but its newest lines; raises `UsageError`."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            kept = self._lines()
            fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            fresh.touch(mode=0o600)
            fresh.write_text("".join(kept))
            fresh.replace(self._path)
        except OSError as error:
            raise UsageError(f"cannot write {self._path}: {error.strerror}") from error

    def add(self, message: Received, url: str, project: str) -> None:
        """Add an event of a project that is sent to a URL."""
        line = {
            "id": message.id,
            "message_id": message.message_id,
            "url": url,
            "project": project,
            "published": message.published.isoformat(),
            "attributes": dict(message.attributes),
            "data": base64.b64encode(message.data).decode(),
        }
        # One write at the end of the file, so that lines of several listeners do not mix.
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def find(self, identifier: str) -> Sent:
        """Return the newest event with this id, or message id; raises `HooksError` without one."""
        for line in reversed(self._lines()):
            found = json.loads(line)
            if identifier in (found["id"], found["message_id"]):
                message = Received(
                    found["message_id"],
                    base64.b64decode(found["data"]),
                    found["attributes"],
                    datetime.fromisoformat(found["published"]),
                )
                return Sent(message, found["url"], found["project"])
        raise HooksError(
            f"`hooks listen` has sent no {identifier} from this directory; `hooks events list`"
            " shows what was received"
        )

    def _lines(self) -> deque[str]:
        try:
            with self._path.open() as file:
                return deque(file, maxlen=_MOST)
        except FileNotFoundError:
            return deque()
