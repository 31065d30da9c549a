"""How the planes are reached: routes by pattern, each call checked, answered and recorded."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.controlplane.errors import ApiError, from_rpc, invalid, service_disabled
from localcloud.controlplane.journal import Entry, Exchange
from localcloud.controlplane.permissions import needed, resource_of
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json
from localcloud.core.rpc import RpcError, Service

_FIELD = re.compile(r"\{(\w+)(\*?)\}")
_READ_VERBS = (":getIamPolicy", ":testIamPermissions", ":generateIdToken", ":access")

# New projects have these on from the start, or the caller's own project pays for them.
# https://cloud.google.com/service-usage/docs/enabled-service
_ALWAYS_ON = frozenset(
    {
        "bigquery.googleapis.com",
        "cloudbilling.googleapis.com",
        "cloudresourcemanager.googleapis.com",
        "logging.googleapis.com",
        "monitoring.googleapis.com",
        "serviceusage.googleapis.com",
        "storage.googleapis.com",
    }
)


@dataclass(frozen=True)
class ApiCall:
    """One call as a plane sees it: who asks, the names in the path, the query and the body."""

    identity: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Json:
        """The JSON object in the body, without what is null; empty where there is none.

        To an API that speaks protobuf, null is the same as absent.
        """
        body: Json = _without_nulls(self.changes)
        return body

    @property
    def changes(self) -> Json:
        """The JSON object in the body as it came, empty where there is none."""
        if not self.content:
            return {}
        try:
            value = json.loads(self.content)
        except ValueError as error:
            raise invalid("Invalid JSON payload received.") from error
        if not isinstance(value, dict):
            raise invalid("Invalid JSON payload received: not an object.")
        return value

    def mask(self) -> list[str] | None:
        """Return the fields of `updateMask`, or None where it is absent."""
        mask = self.query.get("updateMask") or self.query.get("update_mask")
        return mask.split(",") if mask else None


Handler = Callable[[ApiCall], Awaitable[Json | Response]]


@dataclass(frozen=True)
class Route:
    """One call of an API: a method, a pattern such as `pubsub/v1/projects/{project}`, a handler.

    `{name}` stands for one segment without a colon, `{name*}` for the rest of the path.
    """

    method: str
    pattern: str
    handler: Handler
    regex: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the pattern."""
        parts = _FIELD.split(self.pattern)
        regex = "".join(
            re.escape(text) + (f"(?P<{name}>{'.+' if rest else '[^/:]+'})" if name else "")
            for text, name, rest in zip(
                parts[::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True
            )
        )
        object.__setattr__(self, "regex", re.compile(regex))

    @property
    def writes(self) -> bool:
        """Whether a call of this kind may change anything."""
        return self.method != "GET" and not self.pattern.endswith(_READ_VERBS)


class Plane(Protocol):
    """The control plane of one Google API."""

    service: ClassVar[str]
    """The API's name, such as `pubsub.googleapis.com`."""

    endpoints: ClassVar[Mapping[str, str]]
    """The provider's arguments that lead here, with their paths: `{"pubsub_…": "pubsub/v1/"}`."""

    @property
    def routes(self) -> Sequence[Route]:
        """The calls that this plane answers."""
        ...


class Router:
    """Dispatches a request to the plane that answers it; 501 for what none does."""

    def __init__(self, state: State, planes: Iterable[Plane]) -> None:
        self._state = state
        self._routes = [(plane, route) for plane in planes for route in plane.routes]

    async def __call__(self, request: Request) -> Response:
        """Answer one request; never raises for what a caller sends."""
        identity = self._state.identify(request.headers.get("authorization", ""))
        path = request.url.path.strip("/")
        found = self._find(request.method, path)
        plane, route, names = found or (None, None, {})
        call = ApiCall(
            identity, names, dict(request.query_params), request.headers, await request.body()
        )
        response = await self._answer(call, plane, route, f"{request.method} /{path}")
        writes = route.writes if route else request.method != "GET"
        self._tell(request, call, response, writes=writes)
        self._state.journal.add(
            Entry(
                time=self._state.clock.time(),
                identity=identity,
                service=plane.service if plane else "",
                call=f"{request.method} /{path}",
                status=response.status_code,
                writes=writes,
            )
        )
        return response

    def _tell(self, request: Request, call: ApiCall, response: Response, *, writes: bool) -> None:
        query = request.url.query
        exchange = Exchange(
            method=request.method,
            target=request.scope["raw_path"].decode() + (f"?{query}" if query else ""),
            content_type=request.headers.get("content-type", ""),
            content=call.content,
            status=response.status_code,
            answer=bytes(response.body),
            writes=writes,
        )
        for listener in self._state.journal.listeners:
            listener(exchange)

    def _find(self, method: str, path: str) -> tuple[Plane, Route, dict[str, str]] | None:
        for plane, route in self._routes:
            match = route.regex.fullmatch(path) if route.method == method else None
            if match:
                return plane, route, match.groupdict()
        return None

    async def _answer(
        self, call: ApiCall, plane: Plane | None, route: Route | None, what: str
    ) -> Response:
        try:
            if plane is None or route is None:
                raise ApiError("UNIMPLEMENTED", f"The local cloud does not imitate {what}")
            self._admit(call, plane)
            self._check_permission(call, plane, route, what.partition(" /")[2])
            answer = await route.handler(call)
        except ApiError as error:
            return JSONResponse(error.body(), error.status)
        except RpcError as error:
            refusal = from_rpc(error)
            return JSONResponse(refusal.body(), refusal.status)
        except Exception as error:  # noqa: BLE001 - a 500 would be retried for minutes, unseen
            flaw = ApiError("UNIMPLEMENTED", f"The local cloud cannot answer {what}: {error!r}")
            return JSONResponse(flaw.body(), flaw.status)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    def _admit(self, call: ApiCall, plane: Plane) -> None:
        if not call.identity:
            raise ApiError("UNAUTHENTICATED", "Request had invalid authentication credentials.")
        project = call.names.get("project")
        if project and project != "-" and not self._state.project.is_ours(project):
            raise ApiError(
                "PERMISSION_DENIED",
                f"Permission denied on resource project {project} (or it may not exist).",
            )
        if plane.service not in _ALWAYS_ON and not self._state.is_active(plane.service):
            raise service_disabled(plane.service, self._state.project.number)

    def _check_permission(self, call: ApiCall, plane: Plane, route: Route, path: str) -> None:
        permission = needed(plane.service, route.method, route.pattern)
        if permission:
            resource = resource_of(call.names, path, self._state.root)
            self._state.check_caller(call.identity, permission, resource)


def application(answer: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """Return an ASGI application that answers every request by one function."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await answer(Request(scope, receive))
        await response(scope, receive, send)

    return app


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value


async def invoke(service: Service, method: str, request: Message) -> Json:
    """Call an embedded emulator's method, and return its reply as REST's JSON."""
    reply = await service[method].handler(request)
    result: Json = MessageToDict(reply)
    return result


def message(kind: type[Message], value: Json) -> Message:
    """Return REST's JSON as a message; what does not fit its type is refused."""
    try:
        parsed: Message = ParseDict(value, kind())
    except ParseError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    return parsed
