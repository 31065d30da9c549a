"""Gemini's REST API: each request made once, each answer bounded, no secret in an error.

Why this is not the google-genai SDK: docs/decisions/0011-our-own-gemini-client.md.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from relay.errors import GeminiRefused

if TYPE_CHECKING:
    import httpx2

BASE_URL = "https://generativelanguage.googleapis.com"

LARGEST_REPLY = 8 << 20
"""Bytes of an answer that is read whole; Deep Research's are the largest, at 1.3 MB."""

_LARGEST_ERROR = 64 << 10
_MOST_REDIRECTS = 5
_LONGEST_REASON = 500
_LONGEST_CODE = 100
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_\-]+")

Query = Mapping[str, str | int | bool]

Answer = TypeVar("Answer")


class Body:
    """The body of an answer as it arrives. `length` is its declared size in bytes, if any."""

    def __init__(self, api: "GeminiApi", what: str, response: "httpx2.Response") -> None:
        self.length = _length(response.headers)
        self._api = api
        self._what = what
        self._chunks = response.aiter_bytes()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes; raises `GeminiRefused` where they break off or stop for too long."""
        while chunk := await self._api.outcome(self._what, anext(self._chunks, b"")):
            yield chunk


class GeminiApi:
    """The API as an API key's project sees it. It belongs to the event loop that first uses it.

    `timeout` is in seconds: for a whole call, or for each piece of an answer that is streamed.
    Without `base_url` the API is Google's. Redirects are followed within the base alone, and of
    GET alone. Nothing is sent compressed.

    Every method raises `GeminiRefused`, whose reason holds neither the API key nor a signing
    secret, and which chains no error of the HTTP client's. After it the call may have had its
    effect.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None = None,
        timeout: float = 10.0,
        transport: "httpx2.AsyncBaseTransport | None" = None,
    ) -> None:
        self.base_url = (base_url or BASE_URL).rstrip("/")
        self._api_key = api_key
        self._timeout = timeout
        self._transport = transport
        self._opened: httpx2.AsyncClient | None = None

    async def call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Any:
        """Make one request and return the JSON of its answer; `{}` where the answer is empty.

        `what` names the call in errors; `path` begins with a slash, and is quoted.
        """
        return await self.outcome(what, self._exchange(what, method, path, query, body))

    @asynccontextmanager
    async def stream(
        self, what: str, path: str, *, query: Query | None = None
    ) -> AsyncIterator[Body]:
        """GET a path, and give its answer's body while the block lasts."""
        response = await self.outcome(what, self._send(what, "GET", path, query, None))
        try:
            yield Body(self, what, response)
        finally:
            await response.aclose()

    async def outcome(self, what: str, step: Awaitable[Answer]) -> Answer:
        """Await a step of a call within the time-out; what it raises becomes `GeminiRefused`."""
        try:
            async with asyncio.timeout(self._timeout):
                return await step
        except GeminiRefused:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the client raises may hold the API key
            failure = type(error).__name__
        # Outside the handler, so that the client's error, which holds the request, is no context.
        raise _unusable(what, failure)

    async def close(self) -> None:
        """Close the connections."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def _exchange(
        self,
        what: str,
        method: str,
        path: str,
        query: Query | None,
        body: Mapping[str, object] | None,
    ) -> Any:
        response = await self._send(what, method, path, query, body)
        try:
            content = await _read(response, LARGEST_REPLY)
        finally:
            await response.aclose()
        if content is None:
            raise _unusable(what, f"over {LARGEST_REPLY} bytes")
        return json.loads(content) if content else {}

    async def _send(
        self,
        what: str,
        method: str,
        path: str,
        query: Query | None,
        body: Mapping[str, object] | None,
    ) -> "httpx2.Response":
        client = self._client()
        url, params = self.base_url + path, {**(query or {})} or None
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        request = client.build_request(method, url, params=params, content=content)
        for _ in range(_MOST_REDIRECTS):
            response = await client.send(request, stream=True)
            if response.is_success and not _encoded(response):
                return response
            try:
                following = self._following(request, response)
                if following is None:
                    raise await self._refusal(what, response)
            finally:
                await response.aclose()
            request = client.build_request("GET", following)
        raise _unusable(what, "too many redirects")

    def _client(self) -> "httpx2.AsyncClient":
        if self._opened is None:
            # Imported at the first call: it takes as long as all else that the start needs of HTTP.
            import httpx2

            headers = {
                "x-goog-api-key": self._api_key,
                "accept": "*/*",
                "accept-encoding": "identity",
                "content-type": "application/json",
            }
            self._opened = httpx2.AsyncClient(
                headers=headers, timeout=self._timeout, transport=self._transport
            )
        return self._opened

    def _following(
        self, request: "httpx2.Request", response: "httpx2.Response"
    ) -> "httpx2.URL | None":
        """Return where a redirect leads that may be followed, which gets the API key."""
        if not response.has_redirect_location or request.method != "GET":
            return None
        target = request.url.join(response.headers["location"])
        # As a URL writes it: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.3
        base = str(type(target)(f"{self.base_url}/"))
        return target if str(target).startswith(base) else None

    async def _refusal(self, what: str, response: "httpx2.Response") -> GeminiRefused:
        status = response.status_code
        try:
            content = await _read(response, _LARGEST_ERROR)
        except Exception:  # noqa: BLE001 - the status alone says that the call was refused
            content = None
        message, code = _described(content or b"")
        reason = f"Gemini answered {status} to {what}: {message or 'without a reason'}"
        return GeminiRefused(redacted(reason, self._api_key), status, code)


def segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")


def redacted(text: str, api_key: str) -> str:
    """Return a text from outside without secrets: one line of at most 500 characters."""
    shown = _SECRET.sub("whsec_…", text.replace(api_key, "…") if api_key else text)
    return " ".join(shown.split())[:_LONGEST_REASON]


def _unusable(what: str, failure: str) -> GeminiRefused:
    return GeminiRefused(f"Gemini gave no usable answer to {what} ({failure}); it may have acted.")


async def _read(response: "httpx2.Response", limit: int) -> bytes | None:
    """Return a body, or None where it is compressed or larger than `limit` bytes."""
    content = bytearray()
    if _encoded(response):
        return None
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > limit:
            return None
    return bytes(content)


def _encoded(response: "httpx2.Response") -> bool:
    # Unpacked, a small body may be of any size.
    return "content-encoding" in response.headers


def _length(headers: Mapping[str, str]) -> int | None:
    declared = headers.get("content-length", "")
    return int(declared) if re.fullmatch(r"[0-9]{1,18}", declared) else None


def _described(content: bytes) -> tuple[str, str]:
    """Return the message and the code of an error: https://google.aip.dev/193."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return "", ""
    # A method that streams answers a list.
    body = body[0] if isinstance(body, list) and body else body
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    details = error.get("details")
    entries = details if isinstance(details, list) else []
    reasons = [each.get("reason") for each in entries if isinstance(each, dict)]
    codes = (*reasons, error.get("status"), error.get("code"))
    code = next((each for each in codes if isinstance(each, str) and each), "")
    return str(error.get("message") or ""), code[:_LONGEST_CODE]
