"""A gRPC API over HTTP/1.1: as REST, and as the fallback of Google's JavaScript clients.

REST follows the `google.api.http` annotations of the methods
(https://github.com/googleapis/googleapis/blob/master/google/api/http.proto). Google's JavaScript
clients can also post protobuf messages to `/$rpc/SERVICE/METHOD`. Methods with streams are left
out, as they are at Google.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from localcloud.core.rpc import Call, Guard, Method, RpcError, Service, allow
from localcloud.core.statuses import HTTP, invalid

_VARIABLE = re.compile(r"\{([\w.]+)=([^}]+)\}")
_FALLBACK = "/$rpc/"
_PROTOBUF = "application/x-protobuf"
# https://cloud.google.com/apis/docs/system-parameters, and what clients of before it send.
_SYSTEM = frozenset(
    {"alt", "key", "fields", "callback", "quotaUser", "prettyPrint", "access_token"}
)


@dataclass(frozen=True)
class Rule:
    """One way to call a method of a service: a verb, a path, and what of the request is the body.

    `template` is a path such as `/v1/{topic=projects/*/topics/*}:publish`, whose variables are
    fields of the request. `body` is `*` where the body holds all other fields, or empty.
    """

    service: str
    method: str
    verb: str
    template: str
    body: str = ""
    fields: tuple[str, ...] = field(init=False)
    path: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the template."""
        between = _VARIABLE.split(self.template)
        fixed, names, patterns = between[::3], between[1::3], between[2::3]
        groups = (f"({re.escape(each).replace(re.escape('*'), '[^/:]+')})" for each in patterns)
        *heads, tail = map(re.escape, fixed)
        text = "".join(head + group for head, group in zip(heads, groups, strict=True))
        object.__setattr__(self, "fields", tuple(names))
        object.__setattr__(self, "path", re.compile(text + tail))


class Transcoder:
    """An ASGI application that calls the methods of `services`, as `identity`.

    A guard sees every call, as it does those of a gRPC listener.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        rules: Iterable[Rule],
        *,
        identity: str | None = None,
        guard: Guard = allow,
    ) -> None:
        self._services = services
        self._rules = [each for each in rules if each.method in services.get(each.service, {})]
        self._identity = identity
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path == "/" and request.method == "GET":
            # What asks whether Google's own emulator has started gets this answer.
            return PlainTextResponse("Ok")
        if path.startswith(_FALLBACK):
            service, _, name = path.removeprefix(_FALLBACK).partition("/")
            return await self._fallback(request, service, name)
        try:
            return await self._rest(request)
        except RpcError as error:
            return _refusal(error)

    async def _rest(self, request: Request) -> Response:
        for rule in self._rules:
            found = rule.path.fullmatch(request.url.path) if rule.verb == request.method else None
            if found:
                method = self._services[rule.service][rule.method]
                wanted = _read(method, rule, found.groups(), request, await request.body())
                reply = await self._call(rule.service, rule.method, wanted, request)
                integers = "enum-encoding=int" in request.query_params.get("$alt", "")
                return JSONResponse(MessageToDict(reply, use_integers_for_enums=integers))
        raise RpcError(
            grpc.StatusCode.NOT_FOUND, f"There is no method at {request.method} {request.url.path}."
        )

    async def _fallback(self, request: Request, service: str, name: str) -> Response:
        try:
            method = self._services.get(service, {}).get(name)
            if method is None or method.kind != "unary_unary":
                raise RpcError(grpc.StatusCode.UNIMPLEMENTED, f"There is no {service}/{name}.")
            try:
                wanted = method.request.FromString(await request.body())
            except DecodeError as error:
                raise invalid(f"The body is no request of {service}/{name}: {error}") from error
            reply = await self._call(service, name, wanted, request)
        except RpcError as error:
            status = Status(code=error.code.value[0], message=error.message)
            content = status.SerializeToString()
            return Response(content, HTTP[error.code.name], media_type=_PROTOBUF)
        return Response(reply.SerializeToString(), media_type=_PROTOBUF)

    async def _call(self, service: str, name: str, wanted: Message, request: Request) -> Message:
        headers = dict(request.headers)
        await self._guard(Call(self._identity, f"{service}/{name}", wanted, headers))
        reply: Message = await self._services[service][name].handler(wanted)
        return reply


def _read(
    method: Method, rule: Rule, variables: Iterable[str], request: Request, body: bytes
) -> Message:
    """Return the request that an HTTP request stands for; raises `RpcError` if it is none."""
    document: dict[str, Any] = _document(body) if rule.body else {}
    for name, value in request.query_params.multi_items():
        if not name.startswith("$") and name not in _SYSTEM:
            _put(document, name, value)
    for name, value in zip(rule.fields, variables, strict=True):
        _put(document, name, value)
    try:
        message: Message = ParseDict(document, method.request())
    except ParseError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    return message


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body) if body else {}
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    if not isinstance(document, dict):
        raise invalid("Invalid JSON payload received: not an object.")
    return document


def _put(document: dict[str, Any], name: str, value: str) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    document[last] = value


def _refusal(error: RpcError) -> Response:
    status = HTTP[error.code.name]
    body = {"code": status, "message": error.message, "status": error.code.name}
    return JSONResponse({"error": body}, status)
