"""How an object is uploaded: in one request, or in a session of many.

https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

from localcloud.storage.objects import Json, Objects, Refused

PATH = "upload/storage/v1/b/{bucket}/o"
CHUNK = 256 << 10
"""Each part of a session but the last is a multiple of this many bytes."""

_BINARY = "application/octet-stream"
_BOUNDARY = re.compile(r'boundary="?([^";]+)')
_CONTENT_TYPE = re.compile(rb"content-type: *(\S+)", re.IGNORECASE)
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_CANCELLED = 499


@dataclass(frozen=True)
class Request:
    """A request at the upload path of a bucket; `origin` is what its URL begins with."""

    bucket: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes
    origin: str


@dataclass
class _Session:
    bucket: str
    name: str
    metadata: Json
    generation: str | None
    received: bytearray = field(default_factory=bytearray)
    made: Json | None = None


class Uploads:
    """Takes uploads, and stores the objects once they are complete."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._sessions: dict[str, _Session] = {}

    def answer(self, request: Request) -> Response:
        """Answer a request; raises `Refused`."""
        if "upload_id" in request.query:
            return self._continue(request)
        kind = request.query.get("uploadType", "")
        if kind == "resumable":
            return self._begin(request)
        if kind == "multipart":
            metadata, content = _multipart(request.headers.get("content-type", ""), request.content)
        elif kind == "media":
            given = request.headers.get("content-type", _BINARY)
            metadata, content = {"contentType": given}, request.content
        else:
            raise Refused(400, "invalid", f"Invalid value '{kind}' for uploadType.")
        name, generation = _named(request, metadata), request.query.get("ifGenerationMatch")
        made = self._objects.put(request.bucket, name, metadata, content, generation)
        return JSONResponse(made)

    def cancel(self, request: Request) -> Response:
        """End a session, whose object is not made; raises `Refused`."""
        self._session(request)
        del self._sessions[request.query["upload_id"]]
        return Response(status_code=_CANCELLED)

    def _begin(self, request: Request) -> Response:
        metadata: Json = json.loads(request.content) if request.content else {}
        metadata.setdefault("contentType", request.headers.get("x-upload-content-type", _BINARY))
        upload = secrets.token_urlsafe(24)
        # The precondition counts at the end: googleapis/google-cloud-java issue 201.
        generation = request.query.get("ifGenerationMatch")
        name = _named(request, metadata)
        self._sessions[upload] = _Session(request.bucket, name, metadata, generation)
        path = PATH.format(bucket=request.bucket)
        location = f"{request.origin}/{path}?uploadType=resumable&upload_id={upload}"
        return Response(headers={"location": location, "x-guploader-uploadid": upload})

    def _session(self, request: Request) -> _Session:
        upload = request.query.get("upload_id", "")
        session = self._sessions.get(upload)
        if session is None or session.bucket != request.bucket:
            raise Refused(404, "notFound", f"No such upload: {upload}")
        return session

    def _continue(self, request: Request) -> Response:
        session = self._session(request)
        if session.made is None and _receive(session, request):
            session.made = self._objects.put(
                session.bucket,
                session.name,
                {**session.metadata, **_hashes(request)},
                bytes(session.received),
                session.generation,
            )
        return JSONResponse(session.made) if session.made else _incomplete(session)


def _named(request: Request, metadata: Mapping[str, Any]) -> str:
    name = request.query.get("name") or metadata.get("name", "")
    if not name:
        raise Refused(400, "required", "Required parameter: name")
    return str(name)


def _hashes(request: Request) -> Json:
    """Return what `X-Goog-Hash` of an upload's last request says that the content's sums are."""
    names = {"crc32c": "crc32c", "md5": "md5Hash"}
    given = request.headers.get("x-goog-hash", "").split(",")
    pairs = (each.strip().partition("=") for each in given)
    return {names[kind]: value for kind, _, value in pairs if kind in names}


def _receive(session: _Session, request: Request) -> bool:
    """Take a part of a session; return whether that was the last."""
    written = request.headers.get("content-range")
    if written is None:
        session.received[:] = request.content
        return True
    found = _RANGE.fullmatch(written)
    if found is None:
        raise Refused(400, "invalid", f"Failed to parse Content-Range header: {written}")
    first, last, total = found.groups()
    if first is not None:
        _append(session, int(first), int(last), request.content, final=total != "*")
    return total != "*" and len(session.received) == int(total)


def _append(session: _Session, first: int, last: int, content: bytes, *, final: bool) -> None:
    held = len(session.received)
    if len(content) != last - first + 1:
        raise Refused(400, "invalid", "Content-Range does not match the length of the body.")
    if first > held:
        raise Refused(
            400,
            "invalid",
            f"Invalid request. According to the Content-Range header, the upload offset is {first} "
            f"byte(s), which exceeds already uploaded size of {held} byte(s).",
        )
    if not final and len(content) % CHUNK:
        raise Refused(
            400,
            "invalid",
            f"Invalid request. The number of bytes uploaded is required to be equal or greater than"
            f" {CHUNK}, except for the final request, and a multiple of it.",
        )
    # What is sent again is skipped.
    session.received += content[held - first :]


def _incomplete(session: _Session) -> Response:
    held = len(session.received)
    return Response(status_code=308, headers={"range": f"bytes=0-{held - 1}"} if held else {})


def _multipart(content_type: str, body: bytes) -> tuple[Json, bytes]:
    match = _BOUNDARY.search(content_type)
    parts = body.split(b"--" + match[1].encode())[1:-1] if match else []
    if len(parts) != 2:
        raise Refused(400, "invalid", "A multipart upload has two parts: metadata and content.")
    (_, metadata), (headers, content) = (
        part.removesuffix(b"\r\n").split(b"\r\n\r\n", 1) for part in parts
    )
    kind = _CONTENT_TYPE.search(headers)
    return {"contentType": kind[1].decode() if kind else _BINARY, **json.loads(metadata)}, content
