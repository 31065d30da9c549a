"""Objects of one bucket of Cloud Storage, uploaded in pieces and complete or not there at all.

The JSON API's resumable uploads: https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import google.auth
import google_crc32c
from google.auth.exceptions import GoogleAuthError

from relay.environment import Environment
from relay.errors import Unavailable

if TYPE_CHECKING:
    import httpx2

HOST = "https://storage.googleapis.com"

PIECE = 8 << 20
"""Bytes sent at a time, all of which are held meanwhile: a multiple of 256 KiB."""

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_TIMEOUT_SECONDS = 60.0
_ABANDON_SECONDS = 5.0
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.5
_INCOMPLETE = 308
_THERE = 412
_ENDS = frozenset({200, 201, _THERE})
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})

Token = Callable[[], Awaitable[str]]
"""Returns an access token; raises `Unavailable`."""


@dataclass(frozen=True)
class Stored:
    """An object's size in bytes and its CRC-32C, as Cloud Storage writes it.

    `made` is false where the object was there before; then both are those of what would have been
    stored.
    """

    size: int
    crc32c: str
    made: bool


class Bucket:
    """Creates objects in a bucket. It belongs to the event loop that first uses it.

    Every method raises `Unavailable` where a later attempt may succeed.
    """

    def __init__(
        self,
        name: str,
        host: str = HOST,
        token: Token | None = None,
        transport: "httpx2.AsyncBaseTransport | None" = None,
    ) -> None:
        self.name = name
        self._host = host.rstrip("/")
        self._token = token
        self._transport = transport
        self._opened: httpx2.AsyncClient | None = None

    async def create(self, name: str, content_type: str, chunks: AsyncIterator[bytes]) -> Stored:
        """Store an object of these bytes, unless there is one of that name already.

        The object exists once all of its bytes are stored, and their checksum is right. What
        `chunks` raises passes through, and leaves no object.
        """
        size = digest = 0
        async with self._session(name, content_type) as session:
            piece = bytearray()
            async for chunk in chunks:
                digest = google_crc32c.extend(digest, chunk)
                size += len(chunk)
                piece += chunk
                while len(piece) > PIECE:
                    # One byte at least stays for the last piece, which says that it is.
                    await session.send(bytes(memoryview(piece)[:PIECE]))
                    del piece[:PIECE]
            crc32c = base64.b64encode(digest.to_bytes(4, "big")).decode()
            made = await session.finish(bytes(piece), size, crc32c)
        return Stored(size, crc32c, made)

    async def close(self) -> None:
        """Close the connections."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    @contextlib.asynccontextmanager
    async def _session(self, name: str, content_type: str) -> AsyncIterator["_Session"]:
        session = _Session(self, await self._begin(name, content_type))
        try:
            yield session
        finally:
            await session.abandon()

    async def _begin(self, name: str, content_type: str) -> str | None:
        """Begin an upload and return its URI; None where the object is there."""
        query = {"uploadType": "resumable", "name": name, "ifGenerationMatch": "0"}
        path = f"/upload/storage/v1/b/{quote(self.name, safe='')}/o?{urlencode(query)}"
        headers = {"x-upload-content-type": content_type}
        if self._token is not None:
            # Of the session alone: its URI is a right of its own.
            headers["authorization"] = f"Bearer {await self._token()}"
        for attempt in range(1, _ATTEMPTS + 1):
            response = await self.attempt("POST", self._host + path, b"", headers)
            if response is not None and response.status_code not in _TRANSIENT:
                return self._begun(response)
            await asyncio.sleep(_PAUSE_SECONDS * attempt)
        raise Unavailable("storage-unreachable")

    def _begun(self, response: "httpx2.Response") -> str | None:
        if response.status_code == _THERE:
            return None
        location = str(response.headers.get("location", ""))
        if response.status_code != 200 or not location:
            raise Unavailable(f"storage-{response.status_code}")
        return location

    async def attempt(
        self, method: str, url: str, content: bytes, headers: Mapping[str, str]
    ) -> "httpx2.Response | None":
        """Make a request once; None where there is no answer."""
        import httpx2

        if self._opened is None:
            self._opened = httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, transport=self._transport)
        try:
            return await self._opened.request(method, url, content=content, headers=headers)
        except httpx2.HTTPError:
            return None


class _Session:
    """One upload; without a URI nothing is sent, since the object is there."""

    def __init__(self, bucket: Bucket, uri: str | None) -> None:
        self._bucket = bucket
        self._uri = uri
        self._stored = 0

    async def send(self, piece: bytes) -> None:
        """Store a piece that is not the last."""
        if self._uri is not None:
            await self._put(piece, "*", {})

    async def finish(self, piece: bytes, size: int, crc32c: str) -> bool:
        """Store the last piece; return whether that made the object."""
        if self._uri is None:
            return False
        # Checked before the object exists: nobody may delete a wrong one.
        response = await self._put(piece, str(size), {"x-goog-hash": f"crc32c={crc32c}"})
        self._uri = None
        if response.status_code == _THERE:
            return False
        if not _is_of(response, size, crc32c):
            raise Unavailable("storage-checksum")
        return True

    async def abandon(self) -> None:
        """End an upload that is not finished, so that nothing of it is kept."""
        if self._uri is not None:
            # What cannot be ended now expires in a week, and is no object.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ABANDON_SECONDS):
                    await self._bucket.attempt("DELETE", self._uri, b"", {})

    async def _put(self, piece: bytes, total: str, headers: Mapping[str, str]) -> "httpx2.Response":
        """Store a piece, and return the answer to its end.

        After a request without an answer the service is asked how much of it is stored.
        """
        begin, end = self._stored, self._stored + len(piece)
        known = True
        for attempt in range(1, _ATTEMPTS + 1):
            rest = piece[self._stored - begin :] if known else b""
            span = f"{self._stored}-{end - 1}" if rest else "*"
            sent = {**headers, "content-range": f"bytes {span}/{total}"}
            response = await self._bucket.attempt("PUT", self._uri or "", rest, sent)
            if response is None or response.status_code in _TRANSIENT:
                known = False
                await asyncio.sleep(_PAUSE_SECONDS * attempt)
            elif response.status_code == _INCOMPLETE:
                known = True
                self._stored = _held(response.headers)
                if not begin <= self._stored <= end:
                    break
                if total == "*" and self._stored == end:
                    return response
            elif total != "*" and response.status_code in _ENDS:
                return response
            else:
                raise Unavailable(f"storage-{response.status_code}")
        raise Unavailable("storage-upload")


class AccessToken:
    """The access token of the function's own identity, renewed before it expires.

    It belongs to the event loop that first uses it.
    """

    def __init__(self) -> None:
        self._credentials: Any = None
        self._renewing = asyncio.Lock()

    async def __call__(self) -> str:
        """Return the token; raises `Unavailable` where there is none to be had."""
        async with self._renewing:
            if self._credentials is None or not self._credentials.valid:
                try:
                    # Asks the metadata server, and blocks.
                    await asyncio.to_thread(self._renew)
                except GoogleAuthError as error:
                    raise Unavailable("credentials") from error
            return str(self._credentials.token)

    def _renew(self) -> None:
        # Imported when it is needed: not at the start, and not on a laptop.
        from google.auth.transport.requests import Request

        if self._credentials is None:
            self._credentials, _ = google.auth.default(scopes=_SCOPES)
        self._credentials.refresh(Request())


def create_bucket(environ: Mapping[str, str], name: str) -> Bucket:
    """Make a bucket's client, for Cloud Storage or for `STORAGE_EMULATOR_HOST`.

    The emulator takes no token; its address may have a scheme and a path. Nothing connects until
    the first object.
    """
    emulator = Environment(environ).text("STORAGE_EMULATOR_HOST")
    if not emulator:
        return Bucket(name, HOST, AccessToken())
    return Bucket(name, emulator if "://" in emulator else f"http://{emulator}")


def _is_of(response: "httpx2.Response", size: int, crc32c: str) -> bool:
    """Tell whether an answer describes an object of that size and checksum."""
    try:
        described = response.json()
    except ValueError:
        return False
    wanted = {"size": str(size), "crc32c": crc32c}
    return isinstance(described, dict) and described.items() >= wanted.items()


def _held(headers: Mapping[str, str]) -> int:
    """Return how many bytes of an upload are stored: `bytes=0-41` are 42."""
    found = re.fullmatch(r"bytes=0-([0-9]{1,18})", headers.get("range", ""))
    return int(found[1]) + 1 if found else 0
