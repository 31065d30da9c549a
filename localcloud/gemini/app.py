"""The simulator as one object: an ASGI application, and what a test in its process calls."""

from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.clock import Clock, SystemClock
from localcloud.gemini.control import Control
from localcloud.gemini.courier import Courier
from localcloud.gemini.deliveries import Account, Delivery
from localcloud.gemini.emitter import Emission, Emitter
from localcloud.gemini.errors import GoogleError, answer_error
from localcloud.gemini.file_api import FileApi
from localcloud.gemini.files import Files
from localcloud.gemini.gate import Gate
from localcloud.gemini.job_api import JobApi
from localcloud.gemini.job_control import JobControl
from localcloud.gemini.keys import KeyRing
from localcloud.gemini.mishaps import Announcer
from localcloud.gemini.settings import Settings
from localcloud.gemini.webhook_api import WebhookApi
from localcloud.gemini.webhooks import WebhookService


class Gemini:
    """A simulator of what the relay needs of the Gemini API, in memory, on one event loop.

    `app` serves the API at `/v1` and `/v1beta`, the public keys at `/.well-known/jwks.json`, and
    the simulator's own controls at `/control`. Deliveries go out over `transport`, which defaults
    to the network.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        settings: Settings | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.settings = settings or Settings()
        self.keys = KeyRing(self.settings.ed25519_keys)
        self.account = Account(self.settings.max_deliveries_kept)
        self.webhooks = WebhookService(self.clock, self.settings)
        self.courier = Courier(self.clock, self.settings, self.keys, transport)
        self.gate = Gate(self.clock, self.settings)
        self._emitter = Emitter(
            self.clock, self.settings, self.webhooks, self.account, self.courier
        )
        self.files = Files(self.clock, self.settings)
        announce = Announcer(self.settings, self._emitter.emit)
        self.jobs = JobApi(self.clock, self.settings, self.files, announce)
        self.app = self._application()

    def emit(self, event_type: str, **options: Any) -> list[Delivery]:
        """Announce an event; the options are the fields of `Emission`."""
        return self._emitter.emit(Emission(event_type=event_type, **options))

    def mark(self) -> object:
        """Return what differs after any change that `dump` shows."""
        return self.webhooks.dump()

    def dump(self) -> Any:
        """Return the webhooks as a JSON document: no deliveries, no jobs and no public keys."""
        return self.webhooks.dump()

    def restore(self, dumped: Any) -> None:
        """Take over the webhooks that `dump` returned."""
        self.webhooks.restore(dumped)

    async def close(self) -> None:
        """Stop deliveries and scheduled ends of jobs."""
        await self.jobs.close()
        await self.courier.close()

    def _application(self) -> Starlette:
        files = FileApi(self.files, self.settings)
        control = Control(
            self._emitter, self.courier, self.account, self.keys, self.gate, self.settings
        )
        return Starlette(
            routes=[
                *WebhookApi(self.webhooks, self._emitter, self.settings).routes(self.gate),
                *self.jobs.routes(self.gate),
                *files.routes(self.gate),
                Route("/.well-known/jwks.json", self._jwks, methods=["GET"]),
                control.routes(*JobControl(self.jobs).routes(), *files.controls()),
            ],
            exception_handlers={GoogleError: answer_error, HTTPException: _answer_http},
        )

    async def _jwks(self, _request: Request) -> Response:
        age = self.settings.jwks_max_age_seconds
        return JSONResponse(
            self.keys.jwks(), headers={"cache-control": f"public, max-age={age}, must-revalidate"}
        )


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    what = f"{request.method} {request.url.path}: {error.detail}"
    return await answer_error(request, GoogleError(error.status_code, what))
