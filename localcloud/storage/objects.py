"""Objects by bucket and name, as Cloud Storage describes them.

https://cloud.google.com/storage/docs/json_api/v1/objects
"""

import base64
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import google_crc32c

from localcloud.core.clock import Clock

Json = dict[str, Any]


class Refused(Exception):
    """A call is refused with an HTTP status; `reason` is Cloud Storage's word for why."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    def body(self) -> Json:
        """Return the reply's JSON."""
        details = {"message": str(self), "domain": "global", "reason": self.reason}
        return {"error": {"code": self.status, "message": str(self), "errors": [details]}}


@dataclass(frozen=True)
class Stored:
    """An object: its description as the API's JSON, and its content."""

    resource: Json
    content: bytes


class Objects:
    """The objects of all buckets; whether a bucket exists is the caller's matter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._generations = itertools.count(1)
        self._stored: dict[tuple[str, str], Stored] = {}

    def put(
        self,
        bucket: str,
        name: str,
        metadata: Mapping[str, Any],
        content: bytes,
        generation: str | None = None,
    ) -> Json:
        """Store an object and return its description; of several under a name the last counts.

        `generation` is that of the object that it replaces, `0` where there must be none. Raises
        `Refused` where that does not hold, or where a checksum in the metadata is not the
        content's.
        """
        before = self._stored.get((bucket, name))
        found = before.resource["generation"] if before else "0"
        if generation not in {None, found}:
            raise Refused(
                412,
                "conditionNotMet",
                "At least one of the pre-conditions you specified did not hold.",
            )
        sums = _sums(content)
        for kind, value in sums.items():
            if metadata.get(kind, value) != value:
                raise Refused(
                    400,
                    "invalid",
                    f'Provided {kind} hash "{metadata[kind]}" doesn\'t match calculated {kind} '
                    f'hash "{value}".',
                )
        resource = {**metadata, **self._described(bucket, name), "size": str(len(content)), **sums}
        self._stored[bucket, name] = Stored(resource, content)
        return dict(resource)

    def get(self, bucket: str, name: str) -> Stored:
        """Return an object; `Refused` if there is none."""
        try:
            return self._stored[bucket, name]
        except KeyError:
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}") from None

    def patch(self, bucket: str, name: str, changes: Mapping[str, Any]) -> Json:
        """Change metadata of an object and return its description; `Refused` if there is none."""
        stored = self.get(bucket, name)
        changed = {**stored.resource, **changes}
        self._stored[bucket, name] = Stored(changed, stored.content)
        return dict(changed)

    def delete(self, bucket: str, name: str) -> None:
        """Delete an object; `Refused` if there is none."""
        self.get(bucket, name)
        del self._stored[bucket, name]

    def list(self, bucket: str, prefix: str = "") -> Json:
        """Return the descriptions of a bucket's objects whose names begin so, in order of name."""
        items = [
            dict(stored.resource)
            for (where, name), stored in sorted(self._stored.items())
            if where == bucket and name.startswith(prefix)
        ]
        return {"kind": "storage#objects", "items": items}

    def _described(self, bucket: str, name: str) -> Json:
        now = self._clock.time()
        # A generation is about when it was made, in microseconds.
        generation = str(int(now * 1e6) + next(self._generations))
        stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        link = f"https://www.googleapis.com/storage/v1/b/{bucket}/o/{name}"
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{generation}",
            "selfLink": link,
            "mediaLink": f"{link}?alt=media",
            "name": name,
            "bucket": bucket,
            "generation": generation,
            "metageneration": "1",
            "storageClass": "STANDARD",
            "timeCreated": stamp.replace("+00:00", "Z"),
            "updated": stamp.replace("+00:00", "Z"),
            "etag": "CAE=",
        }


def _sums(content: bytes) -> dict[str, str]:
    """Return the checksums of content by their names, as the API writes them."""
    crc = google_crc32c.value(content).to_bytes(4, "big")
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    return {"crc32c": base64.b64encode(crc).decode(), "md5Hash": base64.b64encode(md5).decode()}
