"""Files over HTTP: uploads in pieces, lookups, downloads, and the controls that make them.

The upload is the resumable protocol that the SDK speaks: a POST that starts it and names a URL,
then pieces to that URL, the last of which finishes it.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from localcloud.gemini.content import Content
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.faults import Body, Fault, body_fault, strike
from localcloud.gemini.files import File, Files
from localcloud.gemini.gate import Gate, read_body, read_object
from localcloud.gemini.paging import page, page_size
from localcloud.gemini.settings import Settings

_LARGEST_FILLER = 1 << 36


class FileApi:
    """The routes of files."""

    def __init__(self, files: Files, settings: Settings) -> None:
        self._files = files
        self._settings = settings

    def routes(self, gate: Gate) -> list[BaseRoute]:
        """Return the API's routes, behind `gate`."""
        one = "/files/{id}"
        return [
            *gate.routes("POST", "/files", "files.upload", self._upload, "/upload"),
            *gate.routes("GET", "/files", "files.list", self._list),
            *gate.routes("GET", f"{one}:download", "files.download", self._redirected),
            *gate.routes("GET", f"{one}:download", "files.download", self._download, "/download"),
            *gate.routes("GET", one, "files.get", self._get),
            *gate.routes("DELETE", one, "files.delete", self._delete),
        ]

    def controls(self) -> list[BaseRoute]:
        """Return the control routes: make a file, and let one expire."""
        return [
            Route("/files", self._add, methods=["POST"]),
            Route("/files/{id}:expire", self._expire, methods=["POST"]),
        ]

    async def _upload(self, request: Request) -> Response:
        headers = request.headers
        identifier = request.query_params.get("upload_id", "")
        if not identifier:
            return await self._start(request)
        commands = {word.strip() for word in headers.get("x-goog-upload-command", "").split(",")}
        if commands == {"query"}:
            size = len(self._files.upload(identifier).received)
            return _active({"x-goog-upload-size-received": str(size)})
        if not commands <= {"upload", "finalize"} or not commands:
            raise GoogleError(400, "x-goog-upload-command must be upload, finalize or query.")
        piece = await read_body(request, self._settings.max_file_bytes)
        self._files.receive(identifier, _whole(headers, "x-goog-upload-offset"), piece)
        if "finalize" not in commands:
            return _active({})
        file = self._files.finish_upload(identifier)
        final = {"x-goog-upload-status": "final"}
        return JSONResponse({"file": file.describe()}, headers=final)

    async def _start(self, request: Request) -> Response:
        headers = request.headers
        protocol, command = "x-goog-upload-protocol", "x-goog-upload-command"
        if (headers.get(protocol), headers.get(command)) != ("resumable", "start"):
            raise GoogleError(400, f"{protocol} must be resumable, and {command} start.")
        metadata = (await read_object(request, self._settings.max_body_bytes)).get("file", {})
        if not isinstance(metadata, dict):
            raise GoogleError(400, "file must be an object.")
        identifier = self._files.start_upload(
            str(metadata.get("name", "")),
            # Google's parsers take both cases, and the SDK sends the second.
            str(metadata.get("displayName", metadata.get("display_name", ""))),
            headers.get("x-goog-upload-header-content-type", ""),
            _whole(headers, "x-goog-upload-header-content-length"),
        )
        query = {"upload_id": identifier, "upload_protocol": "resumable"}
        url = request.url.replace(query="").include_query_params(**query)
        return _active({"x-goog-upload-url": str(url)})

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        files, following = page(
            self._files.list(),
            lambda file: file.number,
            page_size(query.get("pageSize", "")),
            query.get("pageToken", ""),
        )
        shown: dict[str, Any] = {"files": [file.describe() for file in files]}
        return JSONResponse(shown | ({"nextPageToken": following} if following else {}))

    async def _get(self, request: Request) -> Response:
        return JSONResponse(self._files.get(request.path_params["id"]).describe())

    async def _delete(self, request: Request) -> Response:
        self._files.remove(request.path_params["id"])
        return JSONResponse({})

    async def _redirected(self, request: Request) -> Response:
        if not self._settings.downloads_redirect:
            return await self._download(request)
        self._downloadable(request)
        return RedirectResponse(request.url.replace(path=f"/download{request.url.path}"), 302)

    async def _download(self, request: Request) -> Response:
        file = self._downloadable(request)
        headers = {"content-length": str(file.content.size)}
        body = _pieces(file.content, body_fault(request))
        return Body(body, media_type=file.mime_type, headers=headers)

    def _downloadable(self, request: Request) -> File:
        file = self._files.find(request.path_params["id"])
        if request.query_params.get("alt") != "media":
            raise GoogleError(400, "A download needs alt=media.")
        if file.source == "UPLOADED":
            raise GoogleError(400, "Only generated files can be downloaded.", "FAILED_PRECONDITION")
        return file

    async def _add(self, request: Request) -> Response:
        body = await read_object(request, self._settings.max_body_bytes)
        content = read_content(body)
        if content is None:
            raise GoogleError(400, "A file needs text, base64 or size.")
        identifier = str(body.get("name", "")).removeprefix("files/")
        mime_type = str(body.get("mime_type", "application/octet-stream"))
        file = self._files.add(content, identifier=identifier, mime_type=mime_type)
        return JSONResponse(file.describe())

    async def _expire(self, request: Request) -> Response:
        return JSONResponse(self._files.expire(request.path_params["id"]).describe())


def read_content(body: Mapping[str, Any]) -> Content | None:
    """Read what a control call wants a file to hold: `text`, `base64`, or `size` bytes of filler.

    None where it says nothing of that.
    """
    match body:
        case {"text": str(text)}:
            return Content.of(text.encode())
        case {"base64": str(text)}:
            try:
                return Content.of(base64.b64decode(text, validate=True))
            except (ValueError, binascii.Error):
                raise GoogleError(400, "base64 is not base64.") from None
        case {"size": int(size)} if 0 <= size <= _LARGEST_FILLER:
            return Content.filler(size)
    if body.keys() & {"text", "base64", "size"}:
        raise GoogleError(400, "text and base64 are strings, size is a number of bytes.")
    return None


async def _pieces(content: Content, fault: Fault | None) -> AsyncIterator[bytes]:
    left = content.size if fault is None else min(fault.after, content.size)
    for chunk in content.chunks():
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            break
    if fault is not None:
        await strike(fault)


def _active(headers: Mapping[str, str]) -> Response:
    return JSONResponse({}, headers={"x-goog-upload-status": "active", **headers})


def _whole(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not text.isascii() or not text.isdigit():
        raise GoogleError(400, f"{name} must be a number of bytes.")
    return int(text)
