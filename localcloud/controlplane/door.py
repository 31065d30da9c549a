"""A function's front door: what Cloud Run does with a request before the container sees it.

https://cloud.google.com/run/docs/securing/ingress,
https://cloud.google.com/run/docs/troubleshooting#unauthorized-client
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from localcloud.controlplane.journal import Entry
from localcloud.controlplane.state import State
from localcloud.controlplane.tokens import InvalidToken, strip

# Hop-by-hop headers are not forwarded (RFC 9110, 7.6.1).
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_INVOKE = "run.routes.invoke"
_SERVERLESS = "x-serverless-authorization"


@dataclass(frozen=True)
class Behind:
    """The function behind a door.

    `service` is the Cloud Run service's resource name, whose policy says who may invoke it;
    `audiences` are those that a token may have; `internal` refuses requests from outside Google;
    `address` is where the function itself listens; `timeout` is in seconds.
    """

    service: str
    audiences: frozenset[str]
    internal: bool
    address: str
    timeout: float


class Refusal(Exception):
    """A request is refused; `response` is the answer."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.response = PlainTextResponse(text, status, headers)


class Door:
    """Admits invokers, and forwards the request with the token's signature removed.

    `behind` is called for every request, so that a new revision applies at once.
    """

    def __init__(
        self,
        state: State,
        network_mark: str,
        behind: Callable[[], Behind],
        client: httpx2.AsyncClient,
    ) -> None:
        self._state = state
        self._mark = network_mark
        self._behind = behind
        self._client = client

    async def __call__(self, request: Request) -> Response:
        """Answer one request, and record it."""
        behind = self._behind()
        caller = ""
        try:
            headers = request.headers.mutablecopy()
            self._check_ingress(headers, behind)
            caller = self._admit(headers, behind)
            response = await self._forward(request, headers, behind)
        except Refusal as refusal:
            response = refusal.response
        name = behind.service.rpartition("/")[2]
        call = f"{request.method} {name}{request.url.path}"
        now = self._state.clock.time()
        entry = Entry(now, caller, "run.app", call, response.status_code, writes=False)
        self._state.journal.add(entry)
        return response

    def _check_ingress(self, headers: MutableHeaders, behind: Behind) -> None:
        internal = secrets.compare_digest(headers.get(INTERNAL, ""), self._mark)
        del headers[INTERNAL]
        if behind.internal and not internal:
            raise Refusal(404, "Error: Page not found\n")

    def _admit(self, headers: MutableHeaders, behind: Behind) -> str:
        """Return the caller, empty where everyone may invoke; strip its token's signature.

        `X-Serverless-Authorization` is what counts where a request has it, and `Authorization` then
        reaches the function as it came, whatever is in it. Of a header that is there twice, the
        first counts, and the other passes.
        https://cloud.google.com/run/docs/authenticating/service-to-service and
        https://github.com/GoogleCloudPlatform/cloud-run-proxy/pull/25
        """
        name = _SERVERLESS if _SERVERLESS in headers else "authorization"
        if self._state.policies.allows("", _INVOKE, behind.service):
            return ""
        scheme, _, token = headers.get(name, "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(403, _FORBIDDEN)
        try:
            claims = self._state.issuer.verify(token, behind.audiences)
        except InvalidToken as error:
            challenge = f'Bearer error="invalid_token" error_description="{error}"'
            raise Refusal(401, _UNAUTHORIZED, {"WWW-Authenticate": challenge}) from error
        caller = member(claims["email"])
        if not self._state.policies.allows(caller, _INVOKE, behind.service):
            raise Refusal(403, _FORBIDDEN)
        _replace_first(headers, name, f"{scheme} {strip(token)}")
        return caller

    async def _forward(self, request: Request, headers: MutableHeaders, behind: Behind) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        raw_path = request.scope["raw_path"].decode("latin-1")
        client = request.client.host if request.client else "127.0.0.1"
        headers["x-forwarded-for"], headers["x-forwarded-proto"] = client, "https"
        forwarded = [pair for pair in headers.items() if pair[0] not in _HOP_BY_HOP]
        try:
            async with asyncio.timeout(behind.timeout):
                answer = await self._client.request(
                    request.method,
                    f"{behind.address}{raw_path}{query}",
                    headers=forwarded,
                    content=await request.body(),
                )
        except TimeoutError as error:
            raise Refusal(504, "upstream request timeout\n") from error
        except httpx2.TransportError as error:
            raise Refusal(503, "Service Unavailable\n") from error
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name not in _HOP_BY_HOP | {"content-length", "content-encoding"}
        }
        return Response(answer.content, answer.status_code, kept)


INTERNAL = "x-local-cloud-internal"
"""The header that marks requests of the local cloud's own services as internal."""

_FORBIDDEN = "Error: Forbidden\nYour client does not have permission to get this URL.\n"
_UNAUTHORIZED = "Error: Unauthorized\nYour client does not have permission to the requested URL.\n"


def _replace_first(headers: MutableHeaders, name: str, value: str) -> None:
    index = next(i for i, (key, _) in enumerate(headers.raw) if key == name.encode())
    headers.raw[index] = (name.encode(), value.encode())


def member(email: str) -> str:
    """Return the IAM member of a token's e-mail address."""
    kind = "serviceAccount" if email.endswith(".gserviceaccount.com") else "user"
    return f"{kind}:{email}"
