"""WebhookService over HTTP, as the SDK and the guides call it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from localcloud.gemini.emitter import Emission, Emitter
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.gate import Gate, read_object
from localcloud.gemini.paging import page_size
from localcloud.gemini.settings import Settings
from localcloud.gemini.webhooks import WebhookService

_CAMEL_CASE = {"subscribedEvents": "subscribed_events", "revocationBehavior": "revocation_behavior"}


class WebhookApi:
    """The routes of WebhookService."""

    def __init__(self, service: WebhookService, emitter: Emitter, settings: Settings) -> None:
        self._service = service
        self._emitter = emitter
        self._settings = settings

    def routes(self, gate: Gate) -> list[BaseRoute]:
        """Return the routes, behind `gate`."""
        one = "/webhooks/{id}"
        return [
            *gate.routes("POST", f"{one}:ping", "webhooks.ping", self._ping),
            *gate.routes("POST", f"{one}:rotateSigningSecret", "webhooks.rotate", self._rotate),
            *gate.routes("POST", f"{one}/rotate_secret", "webhooks.rotate", self._rotate),
            *gate.routes("POST", "/webhooks", "webhooks.create", self._create),
            *gate.routes("GET", "/webhooks", "webhooks.list", self._list),
            *gate.routes("GET", one, "webhooks.get", self._get),
            *gate.routes("PATCH", one, "webhooks.update", self._update),
            *gate.routes("DELETE", one, "webhooks.delete", self._delete),
        ]

    async def _create(self, request: Request) -> Response:
        return JSONResponse(self._service.create(await self._read(request)))

    async def _get(self, request: Request) -> Response:
        return JSONResponse(self._service.get(request.path_params["id"]))

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        size, token = page_size(query.get("page_size", "")), query.get("page_token", "")
        return JSONResponse(self._service.list(size, token))

    async def _update(self, request: Request) -> Response:
        query = request.query_params
        mask = query.get("update_mask") or query.get("updateMask", "")
        changes = await self._read(request)
        return JSONResponse(self._service.update(request.path_params["id"], changes, mask))

    async def _delete(self, request: Request) -> Response:
        return JSONResponse(self._service.delete(request.path_params["id"]))

    async def _ping(self, request: Request) -> Response:
        webhook = self._service.find(request.path_params["id"])
        if webhook.state != "enabled":
            raise GoogleError(400, "The webhook is not enabled.", "FAILED_PRECONDITION")
        data = {"id": webhook.id}
        event_type = self._settings.ping_event_type
        self._emitter.emit(Emission(event_type=event_type, data=data, to=[webhook.id]))
        return JSONResponse({})

    async def _rotate(self, request: Request) -> Response:
        behavior = (await self._read(request)).get("revocation_behavior")
        return JSONResponse(self._service.rotate(request.path_params["id"], behavior))

    async def _read(self, request: Request) -> dict[str, Any]:
        # Google's parsers take both cases, whatever the replies are written in.
        body = await read_object(request, self._settings.max_body_bytes)
        return {_CAMEL_CASE.get(name, name): value for name, value in body.items()}
