"""The archive as a source of events: the Avro files that Pub/Sub wrote to Cloud Storage.

They are read from a local copy. Each record is a message with its metadata:
https://cloud.google.com/pubsub/docs/create-cloudstorage-subscription#avro
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from fastavro import reader

from hooks.errors import HooksError, UsageError
from hooks.leases import LeasedMessage


class Archive:
    """The records of every file below a directory, file by file, in the order of their names.

    `done` holds the names of files to skip; a file is added once all its records are processed.
    Raises `UsageError` if there is no file.
    """

    def __init__(self, directory: Path, done: list[str]) -> None:
        self._directory = directory
        self._files = _files(directory)
        self._done = done
        self._name = ""
        self._records: Iterator[LeasedMessage] = iter(())

    async def pull(self, most: int) -> list[LeasedMessage]:
        """Return up to `most` more records of one file; none means that there are no more.

        Raises `HooksError` if a file cannot be read.
        """
        while not (found := list(islice(self._records, most))):
            if self._name:
                self._done.append(self._name)
            left = [name for name in self._files if name not in self._done]
            self._name = left[0] if left else ""
            if not left:
                return []
            self._records = _records(self._directory / self._name, self._name)
        return found

    async def acknowledge(self, messages: Iterable[LeasedMessage]) -> None:
        """Do nothing: an archive has no leases."""


def _files(directory: Path) -> list[str]:
    if str(directory).startswith("gs:"):
        raise UsageError(
            "--archive takes a directory: copy the files there first, with"
            " `gcloud storage cp --recursive gs://BUCKET/ingress DIRECTORY`"
        )
    found = sorted(str(path.relative_to(directory)) for path in directory.rglob("*.avro"))
    if not found:
        raise UsageError(f"there is no .avro file in {directory}")
    return found


def _records(path: Path, name: str) -> Iterator[LeasedMessage]:
    try:
        with path.open("rb") as file:
            for number, record in enumerate(reader(file)):
                yield _message(record, f"{name}#{number}")
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError) as error:
        raise HooksError(
            f"{path} is not an Avro file of messages with their metadata"
            f" ({type(error).__name__}: {error})"
        ) from error


def _message(record: Any, identifier: str) -> LeasedMessage:
    published = record["publish_time"]
    return LeasedMessage(
        # No lease: the id identifies the record by its position.
        ack_id=identifier,
        message_id=record["message_id"],
        data=bytes(record["data"]),
        attributes=dict(record["attributes"]),
        published=published if isinstance(published, datetime) else _time(published),
    )


def _time(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, UTC)
