"""Routing of the simulated API: both versions, the API key, faults, and a log of every call."""

import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from localcloud.core.clock import Clock
from localcloud.gemini.catalogue import rfc3339
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.faults import Fault, Faults, HangUp
from localcloud.gemini.settings import Settings

Endpoint = Callable[[Request], Awaitable[Response]]
VERSIONS = ("v1", "v1beta")


@dataclass(frozen=True)
class Logged:
    """One call of the API; `status` is None where the reply was lost."""

    at: float
    operation: str
    method: str
    path: str
    status: int | None

    def describe(self) -> dict[str, Any]:
        """Return the call as the control API shows it."""
        return vars(self) | {"at": rfc3339(self.at)}


class Gate:
    """Makes routes out of endpoints."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self.faults = Faults()
        self.log: deque[Logged] = deque(maxlen=settings.max_requests_kept)
        self._clock = clock
        self._settings = settings

    def routes(
        self, method: str, path: str, operation: str, endpoint: Endpoint, prefix: str = ""
    ) -> list[Route]:
        """Return the routes of an operation, one per version of the API, below `prefix`."""

        async def entered(request: Request) -> Response:
            return await self._enter(request, operation, endpoint)

        paths = [f"{prefix}/{version}{path}" for version in VERSIONS]
        return [Route(each, entered, methods=[method]) for each in paths]

    async def _enter(self, request: Request, operation: str, endpoint: Endpoint) -> Response:
        status: int | None = None
        if operation == "interactions.get" and request.query_params.get("stream") == "true":
            operation = "interactions.stream"
        try:
            authenticate(request, self._settings.api_keys)
            response = await self._serve(request, operation, endpoint)
            status = None if isinstance(response, HangUp) else response.status_code
        except GoogleError as error:
            status = error.code
            raise
        finally:
            path, now = request.url.path, self._clock.time()
            self.log.append(Logged(now, operation, request.method, path, status))
        return response

    async def _serve(self, request: Request, operation: str, endpoint: Endpoint) -> Response:
        fault = self.faults.take(operation, request.path_params.get("id", ""))
        try:
            return await self._suffer(request, fault, endpoint)
        except GoogleError as error:
            # The front end, which checks the key, speaks Google's usual form for every service.
            if operation.startswith("interactions.") and error.form == "google":
                error.form = "interactions"
            raise

    async def _suffer(self, request: Request, fault: Fault | None, endpoint: Endpoint) -> Response:
        if fault is None:
            return await endpoint(request)
        if fault.of_body:
            request.state.fault = fault
            return await endpoint(request)
        if fault.kind == "slow":
            await self._clock.sleep(fault.seconds)
        if fault.kind.endswith("-before") or fault.kind == "lost-request":
            return await _fail(request, fault)
        response = await endpoint(request)
        return response if fault.kind == "slow" else await _fail(request, fault)


async def _fail(request: Request, fault: Fault) -> Response:
    if fault.kind == "empty-reply":
        return JSONResponse({})
    if fault.kind == "html-reply":
        return HTMLResponse("<!doctype html><title>Gemini</title>")
    if fault.kind.startswith("error-"):
        raise GoogleError(fault.status, "Injected by a test.")
    if fault.kind.startswith("hang-"):
        await _gone(request)
    return HangUp()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def authenticate(request: Request, api_keys: frozenset[str] | None) -> None:
    """Check `x-goog-api-key`, or `key` in the query; `None` accepts any that is not empty.

    The id of an upload, which nobody guesses, opens that one instead.
    """
    if "upload_id" in request.query_params and request.url.path.startswith("/upload/"):
        return
    key = request.headers.get("x-goog-api-key") or request.query_params.get("key", "")
    if not key:
        raise GoogleError(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API.",
        )
    if api_keys is not None and key not in api_keys:
        raise GoogleError(
            400, "API key not valid. Please pass a valid API key.", reason="API_KEY_INVALID"
        )


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, or raise the 413 for one of more than `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise GoogleError(413, f"The request is larger than {limit} bytes.")
    return bytes(body)


async def read_object(request: Request, limit: int) -> dict[str, Any]:
    """Return the body, a JSON object; an empty body is an empty one."""
    body = await read_body(request, limit)
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise GoogleError(400, "Invalid JSON payload received.") from None
    if not isinstance(value, dict):
        raise GoogleError(400, "Invalid JSON payload received: not an object.")
    return value
