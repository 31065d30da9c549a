"""Gemini through the google-genai SDK, and over REST where the SDK has no call; each request once.

The SDK repeats a POST after a 5xx, and where aiohttp is installed after a dropped connection too.
One attempt, and a transport of our own, which the SDK then uses in place of aiohttp, stop both.
"""

import contextlib
import functools
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from google import genai
from google.genai.types import GenerateVideosOperation, HttpOptions, HttpRetryOptions

from gemini_relay.errors import JobsError
from gemini_relay.failures import Answered, Failure, failure_of
from gemini_relay.settings import Settings
from relay.jobs.names import BATCH, INTERACTION

POST_SECONDS = 120.0
"""For one call of the SDK: to start a large batch takes a while."""
_LOOK_SECONDS = 30.0
_PAGES = 100
_PAGE_SIZE = 100
_REDIRECTS = 5
_LARGEST_ERROR = 64 << 10
_ONCE = HttpRetryOptions(attempts=1)

Answer = TypeVar("Answer")
Reply = Mapping[str, Any]
"""A reply of the API as JSON."""

_sent: ContextVar[list[bool] | None] = ContextVar("gemini_relay_sent", default=None)


async def _note_sent(_request: httpx2.Request) -> None:
    sent = _sent.get()
    if sent is not None:
        sent.append(True)


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the certificates that are trusted; reading them takes as long as all else here."""
    return httpx2.create_ssl_context()


def _refuse(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.UnsupportedProtocol("only the SDK's `aio` is used", request=request)


class Gemini:
    """The Gemini API of one key. It belongs to the event loop that first uses it.

    Every method raises `JobsError`, never with the API key in it, and chains nothing. `transport`
    replaces the network.
    """

    def __init__(
        self, settings: Settings, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._http = httpx2.AsyncClient(
            transport=transport,
            timeout=POST_SECONDS,
            event_hooks={"request": [_note_sent]},
            verify=_certificates(),
        )
        # Kept: once the client is collected, the services taken from it fail.
        self.sdk = genai.Client(
            api_key=settings.api_key,
            enterprise=False,
            http_options=HttpOptions(
                base_url=settings.base_url,
                timeout=int(POST_SECONDS * 1000),
                retry_options=_ONCE,
                httpx_async_client=self._http,
                # Nothing here blocks, and a client of its own would load every certificate again.
                httpx_client=httpx2.Client(transport=httpx2.MockTransport(_refuse)),
                async_client_args={"ssl": _certificates()},
            ),
        ).aio

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.aclose()
        await self._http.aclose()

    async def attempt(self, call: Callable[[], Awaitable[Answer]]) -> Answer | Failure:
        """Make a call, and return its answer or what is known of its failure.

        What a call within it has raised as a `JobsError` stays one.
        """
        sent: list[bool] = []
        token = _sent.set(sent)
        try:
            return await call()
        except JobsError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises may hold the API key
            return failure_of(error, self._settings.api_key, sent=bool(sent))
        finally:
            _sent.reset(token)

    async def call(self, what: str, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make a call and return its answer; `what` names it in the error that is raised."""
        answer = await self.attempt(call)
        if isinstance(answer, Failure):
            raise answer.error(what)
        return answer

    async def create_video(self, model: str, body: Reply) -> Reply:
        """Post a video's generation as it is: the SDK refuses it, so call this in `attempt`."""
        path = f"/v1beta/models/{quote(model.removeprefix('models/'), safe='')}:predictLongRunning"
        return await self._request("POST", path, body)

    async def look(self, kind: str, name: str) -> Reply:
        """Return a job as the API shows it."""
        return await self.call(f"look at {name}", lambda: self._request("GET", path_of(kind, name)))

    async def batch_named(self, ending: str) -> Reply | None:
        """Return the newest batch whose display name ends so, if there is one."""
        token = ""
        for _ in range(_PAGES):
            query = f"?pageSize={_PAGE_SIZE}" + (f"&pageToken={quote(token)}" if token else "")
            get = functools.partial(self._request, "GET", f"/v1/batches{query}")
            page = await self.call("list batches", get)
            for each in page.get("operations") or page.get("batches") or ():
                metadata = each.get("metadata") or {}
                if str(metadata.get("displayName", "")).endswith(ending):
                    return dict(each)
            token = str(page.get("nextPageToken") or "")
            if not token:
                break
        return None

    async def video(self, name: str) -> GenerateVideosOperation:
        """Return a video's operation as the SDK's object."""
        # The version that it was started at: an operation is unknown at another.
        config: Any = {"http_options": {"api_version": "v1beta"}}
        operation = GenerateVideosOperation.model_validate({"name": name})
        return await self.call(
            f"get {name}", lambda: self.sdk.operations.get(operation, config=config)
        )

    @contextlib.asynccontextmanager
    async def body(self, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the body of a GET as it arrives, while the block lasts.

        Iterating raises what httpx2 raises where the body breaks off: wrap it in `call`.
        """
        response = await self.call(f"download {path}", lambda: self._open(path))
        try:
            yield response.aiter_bytes()
        finally:
            # All that was wanted has been read, or an error says that it cannot be.
            with contextlib.suppress(Exception):
                await response.aclose()

    async def _open(self, path: str) -> httpx2.Response:
        url = httpx2.URL(self._settings.base_url + path)
        for _ in range(_REDIRECTS):
            request = self._http.build_request("GET", url, headers=self._headers(url))
            response = await self._http.send(request, stream=True)
            if response.is_success:
                return response
            try:
                if not response.has_redirect_location:
                    raise Answered(response.status_code, await _error_body(response))
                url = url.join(response.headers["location"])
            finally:
                await response.aclose()
        raise Answered(508, None)

    def _headers(self, url: httpx2.URL) -> dict[str, str]:
        headers = {"accept-encoding": "identity"}
        # The key goes to Gemini, and to no place that it redirects to.
        base = httpx2.URL(self._settings.base_url)
        if (url.scheme, url.netloc) == (base.scheme, base.netloc):
            headers["x-goog-api-key"] = self._settings.api_key
        return headers

    async def _request(self, method: str, path: str, body: Reply | None = None) -> Reply:
        response = await self._http.request(
            method,
            self._settings.base_url + path,
            json=body,
            timeout=POST_SECONDS if body else _LOOK_SECONDS,
            headers={"x-goog-api-key": self._settings.api_key},
        )
        try:
            reply = json.loads(response.content or b"{}")
        except (ValueError, RecursionError):
            if response.is_success:
                raise
            reply = None
        if not response.is_success:
            raise Answered(response.status_code, reply)
        if not isinstance(reply, dict):
            raise TypeError("the reply is not an object")
        return reply


def path_of(kind: str, name: str) -> str:
    """Return the path at which the API shows a job, in the version at which it is started."""
    if kind == INTERACTION:
        return f"/v1/interactions/{quote(name, safe='')}"
    version = "v1" if kind == BATCH else "v1beta"
    return f"/{version}/{quote(name, safe='/')}"


async def _error_body(response: httpx2.Response) -> Any:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > _LARGEST_ERROR:
            return None
    try:
        return json.loads(content)
    except ValueError:
        return None
