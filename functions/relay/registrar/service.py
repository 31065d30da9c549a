"""The registrar over HTTP: its paths, who may call them, and the form of its errors."""

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.requests import Request

from relay.errors import GeminiRefused, Refused, Unavailable
from relay.log import log
from relay.registrar.controller import Controller
from relay.registrar.observer import Observer
from relay.registrar.problems import BadRequest, Problem
from relay.registrar.report import Report
from relay.registrar.state import AFTER_A_DAY, BEHAVIORS
from relay.web.body import read_body
from relay.web.identity import IdentityCheck
from relay.web.replies import Reply

LONGEST_WAIT_SECONDS = 110.0
_MAX_BODY_BYTES = 4096
_BODY_SECONDS = 10.0
_RETRY_AFTER = {"retry-after": "10"}
_REFUSALS = {
    400: "The request broke off.",
    401: "A valid identity token is needed.",
    403: "This identity may only read.",
    408: "The request took too long to arrive.",
    413: "The request is too large.",
}
_READING = frozenset({"GET"})

Action = Callable[["Service", Request], Awaitable[Report | None]]


class Service:
    """Answers requests with a controller and an observer."""

    def __init__(
        self,
        controller: Controller,
        observer: Observer,
        identity: IdentityCheck | None,
        writers: frozenset[str],
    ) -> None:
        self._controller = controller
        self._observer = observer
        self._identity = identity
        self._writers = writers

    async def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        methods = ROUTES.get(request.url.path)
        if methods is None:
            return _problem(404, f"There is no {request.url.path}.")
        action = methods.get(request.method)
        if action is None:
            allowed = ", ".join(sorted(methods))
            return _problem(405, f"Use {allowed}.", {"allow": allowed})
        try:
            await self._admit(request)
            report = await action(self, request)
        except Refused as refused:
            return _problem(refused.status, _REFUSALS[refused.status])
        except Problem as problem:
            return _failed(request, problem.status, problem.reason)
        except GeminiRefused as refused:
            return _failed(request, 502, refused.reason)
        except Unavailable as failure:
            return _failed(request, 503, f"Not available: {failure.reason}.")
        return Reply.json(200, {} if report is None else report.body())

    async def _admit(self, request: Request) -> None:
        if self._identity is None:
            return
        caller = await self._identity.check(request.scope["headers"])
        if request.method not in _READING and caller.email.lower() not in self._writers:
            log("WARNING", "caller may only read", method=request.method, path=request.url.path)
            raise Refused(403, "read-only")

    async def _converge(self, _request: Request) -> Report:
        changed = await self._controller.converge()
        return replace(await self._observer.look(), changed=changed)

    async def _show(self, request: Request) -> Report:
        query = request.query_params
        wait = _seconds("wait", query.get("wait", "0"))
        if "generation" not in query:
            if wait:
                raise BadRequest("wait needs a generation to wait for.")
            return await self._observer.look()
        return await self._observer.wait(query["generation"], min(wait, LONGEST_WAIT_SECONDS))

    async def _remove(self, _request: Request) -> Report:
        changed = await self._controller.remove()
        return replace(await self._observer.look(), changed=changed)

    async def _ping(self, _request: Request) -> None:
        await self._controller.ping()

    async def _rotate(self, request: Request) -> Report:
        wanted = await _read(request)
        unknown = sorted(wanted.keys() - {"revocation_behavior", "if_older_than_seconds"})
        if unknown:
            raise BadRequest(f"Unknown: {', '.join(unknown)}."[:200])
        behavior = wanted.get("revocation_behavior", AFTER_A_DAY)
        if behavior not in BEHAVIORS:
            raise BadRequest(f"revocation_behavior is one of {', '.join(BEHAVIORS)}.")
        age = _seconds("if_older_than_seconds", wanted.get("if_older_than_seconds", 0))
        changed = await self._controller.rotate(behavior, timedelta(seconds=age))
        return replace(await self._observer.look(), changed=changed)


ROUTES: Mapping[str, Mapping[str, Action]] = {
    "/converge": {"POST": Service._converge},  # noqa: SLF001 - its own table
    "/webhook": {"GET": Service._show, "DELETE": Service._remove},  # noqa: SLF001
    "/ping": {"POST": Service._ping},  # noqa: SLF001
    "/rotate": {"POST": Service._rotate},  # noqa: SLF001
}


async def _read(request: Request) -> dict[str, Any]:
    content = await read_body(request, limit=_MAX_BODY_BYTES, timeout=_BODY_SECONDS)
    try:
        value = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body is not a JSON object.")
    return value


def _seconds(name: str, value: object) -> float:
    # From the query it is text, from the body a number.
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not 0 <= number <= 1e9:
        raise BadRequest(f"{name} is a number of seconds, 0 or more.")
    return number


def _failed(request: Request, status: int, reason: str) -> Reply:
    log(
        "WARNING" if status < 500 else "ERROR",
        "request failed",
        method=request.method,
        path=request.url.path,
        status=status,
        reason=reason,
    )
    return _problem(status, reason, _RETRY_AFTER if status == 503 else None)


def _problem(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply.json(status, {"error": reason}, headers)
