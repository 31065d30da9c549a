"""Files: uploaded in pieces, made by jobs, and gone after two days.

https://ai.google.dev/api/files
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from localcloud.core.clock import Clock
from localcloud.gemini.catalogue import rfc3339
from localcloud.gemini.content import Content
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.ids import new_id
from localcloud.gemini.settings import Settings

_BASE = "https://generativelanguage.googleapis.com/v1beta"
# `files.get` knows ids of at most 40; that of a batch's results has 42.
_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass
class File:
    """A file, the `number`-th of its project. Times are Unix seconds."""

    id: str
    number: int
    content: Content
    mime_type: str
    display_name: str
    source: Literal["UPLOADED", "GENERATED"]
    created: float
    expires: float

    @property
    def name(self) -> str:
        """The file as the API names it."""
        return f"files/{self.id}"

    @property
    def download_uri(self) -> str:
        """Where its bytes are, if it may be downloaded."""
        return f"{_BASE}/{self.name}:download?alt=media"

    def describe(self) -> dict[str, Any]:
        """Return the resource as the API shows it."""
        shown = {
            "name": self.name,
            "mimeType": self.mime_type,
            "sizeBytes": str(self.content.size),
            "createTime": rfc3339(self.created),
            "updateTime": rfc3339(self.created),
            "expirationTime": rfc3339(self.expires),
            "uri": f"{_BASE}/{self.name}",
            "state": "ACTIVE",
            "source": self.source,
        }
        if self.display_name:
            shown["displayName"] = self.display_name
        if self.source == "GENERATED":
            shown["downloadUri"] = self.download_uri
        else:
            shown["sha256Hash"] = base64.b64encode(self.content.digest()).decode()
        return shown


@dataclass
class Upload:
    """A file on its way: the id it asks for, if any, the size announced, and what has come."""

    identifier: str
    display_name: str
    mime_type: str
    size: int
    received: bytearray = field(default_factory=bytearray)


class Files:
    """The files of a project. Raises `GoogleError`."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._files: dict[str, File] = {}
        self._uploads: dict[str, Upload] = {}
        self._made = 0

    def add(
        self,
        content: Content,
        *,
        identifier: str = "",
        mime_type: str = "application/octet-stream",
        display_name: str = "",
        source: Literal["UPLOADED", "GENERATED"] = "GENERATED",
    ) -> File:
        """Keep a file, under an id of its own unless one is given."""
        identifier = identifier or new_id(12)
        self._check_free(identifier)
        self._made += 1
        now = self._clock.time()
        expires = now + self._settings.file_seconds
        file = File(identifier, self._made, content, mime_type, display_name, source, now, expires)
        self._files[identifier] = file
        if len(self._files) > self._settings.max_files:
            del self._files[next(iter(self._files))]
        return file

    def __contains__(self, identifier: str) -> bool:
        """Return whether there is such a file, and it has not expired."""
        return self._alive(identifier) is not None

    def find(self, identifier: str) -> File:
        """Return a file by its id, however long that is."""
        file = self._alive(identifier)
        if file is None:
            status = self._settings.missing_file_status
            raise GoogleError(status, f"File {identifier!r} does not exist, or no longer does.")
        return file

    def get(self, identifier: str) -> File:
        """Return a file as `files.get` does, which refuses the ids of batches' results."""
        if not _ID.fullmatch(identifier):
            raise GoogleError(400, f"Invalid file id {identifier!r}: at most 40 characters.")
        return self.find(identifier)

    def list(self) -> list[File]:
        """Return all files, oldest first."""
        now = self._clock.time()
        return [file for file in self._files.values() if now < file.expires]

    def remove(self, identifier: str) -> None:
        """Forget a file."""
        del self._files[self.find(identifier).id]

    def expire(self, identifier: str) -> File:
        """Let a file expire now."""
        file = self.find(identifier)
        file.expires = self._clock.time()
        return file

    def start_upload(self, name: str, display_name: str, mime_type: str, size: int) -> str:
        """Begin an upload of so many bytes, for a file of that name if it is not empty.

        Return the upload's id.
        """
        identifier = name.removeprefix("files/")
        if identifier and not _ID.fullmatch(identifier):
            raise GoogleError(400, f"Invalid file id {identifier!r}.")
        self._check_free(identifier)
        if not 0 <= size <= self._settings.max_file_bytes:
            raise GoogleError(400, f"A file has at most {self._settings.max_file_bytes} bytes.")
        upload = new_id(64)
        self._uploads[upload] = Upload(identifier, display_name, mime_type, size)
        return upload

    def upload(self, identifier: str) -> Upload:
        """Return an upload under way."""
        try:
            return self._uploads[identifier]
        except KeyError:
            raise GoogleError(404, "There is no such upload.") from None

    def receive(self, identifier: str, offset: int, piece: bytes) -> None:
        """Take the piece of an upload that begins at `offset`."""
        upload = self.upload(identifier)
        if offset != len(upload.received):
            raise GoogleError(400, f"The offset is {offset}, not {len(upload.received)}.")
        if len(upload.received) + len(piece) > upload.size:
            raise GoogleError(400, f"More than the {upload.size} bytes announced.")
        upload.received += piece

    def finish_upload(self, identifier: str) -> File:
        """Make a file of what has come."""
        upload = self.upload(identifier)
        if len(upload.received) != upload.size:
            raise GoogleError(400, f"Of {upload.size} bytes {len(upload.received)} have come.")
        file = self.add(
            Content.of(bytes(upload.received)),
            identifier=upload.identifier,
            mime_type=upload.mime_type or "application/octet-stream",
            display_name=upload.display_name,
            source="UPLOADED",
        )
        del self._uploads[identifier]
        return file

    def _check_free(self, identifier: str) -> None:
        if self._alive(identifier):
            raise GoogleError(409, f"File {identifier} already exists.", "ALREADY_EXISTS")

    def _alive(self, identifier: str) -> File | None:
        file = self._files.get(identifier)
        return file if file and self._clock.time() < file.expires else None
