"""Interactions, batches and videos over HTTP."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from localcloud.core.clock import Clock
from localcloud.gemini.batches import Batches
from localcloud.gemini.errors import GoogleError, not_found
from localcloud.gemini.files import Files
from localcloud.gemini.gate import Gate, read_object
from localcloud.gemini.interactions import Interactions
from localcloud.gemini.jobs import Announce
from localcloud.gemini.paging import page_size
from localcloud.gemini.settings import Settings
from localcloud.gemini.stream import stream
from localcloud.gemini.videos import Videos


class JobApi:
    """The routes of all kinds of job."""

    def __init__(self, clock: Clock, settings: Settings, files: Files, announce: Announce) -> None:
        self.interactions = Interactions(clock, settings, announce)
        self.batches = Batches(clock, settings, files, announce)
        self.videos = Videos(clock, settings, files, announce)
        self._clock = clock
        self.settings = settings

    def routes(self, gate: Gate) -> list[BaseRoute]:
        """Return the API's routes, behind `gate`."""
        interaction, batch, model = "/interactions/{id}", "/batches/{id}", "/models/{model}"
        table = [
            ("POST", "/interactions", "interactions.create", self._create_interaction),
            ("GET", interaction, "interactions.get", self._get_interaction),
            ("DELETE", interaction, "interactions.delete", self._delete_interaction),
            ("POST", f"{interaction}/cancel", "interactions.cancel", self._cancel_interaction),
            ("POST", f"{model}:batchGenerateContent", "batches.create", self._create_batch),
            ("POST", f"{model}:batchCreate", "batches.create", self._create_batch_as_guided),
            ("GET", "/batches", "batches.list", self._list_batches),
            ("POST", f"{batch}:cancel", "batches.cancel", self._cancel_batch),
            ("GET", batch, "batches.get", self._get_batch),
            ("DELETE", batch, "batches.delete", self._delete_batch),
            ("POST", f"{model}:predictLongRunning", "videos.create", self._create_video),
            ("GET", f"{model}/operations/{{id}}", "videos.get", self._get_video),
        ]
        return [route for row in table for route in gate.routes(*row)]

    async def close(self) -> None:
        """Cancel the ends of jobs that are scheduled."""
        for kind in (self.interactions, self.batches, self.videos):
            await kind.jobs.close()

    async def _create_interaction(self, request: Request) -> Response:
        body = await self._read(request)
        interaction = self.interactions.create(body)
        if body.get("stream") is True:
            return stream(interaction, request)
        return JSONResponse(interaction.describe(self._clock.time()))

    async def _get_interaction(self, request: Request) -> Response:
        interaction = self.interactions.look_up(request.path_params["id"])
        if request.query_params.get("stream") == "true":
            return stream(interaction, request)
        return JSONResponse(interaction.describe(self._clock.time()))

    async def _delete_interaction(self, request: Request) -> Response:
        self.interactions.jobs.remove(self.interactions.find(request.path_params["id"]).id)
        return JSONResponse({})

    async def _cancel_interaction(self, request: Request) -> Response:
        interaction = self.interactions.cancel(request.path_params["id"])
        return JSONResponse(interaction.describe(self._clock.time()) | {"status": "cancelled"})

    async def _create_batch(self, request: Request) -> Response:
        batch = (await self._read(request)).get("batch")
        if not isinstance(batch, dict):
            raise GoogleError(400, "batch is required.")
        source = batch.get("inputConfig", batch.get("input_config", {}))
        config = batch.get("webhookConfig", batch.get("webhook_config"))
        name = batch.get("displayName", batch.get("display_name"))
        return self._started(request, name, source, config)

    async def _create_batch_as_guided(self, request: Request) -> Response:
        body = await self._read(request)
        source, config = body.get("src"), body.get("config") or {}
        if isinstance(source, str):
            source = {"fileName": source}
        elif isinstance(source, list):
            source = {"requests": source}
        if not isinstance(config, dict):
            raise GoogleError(400, "config must be an object.")
        return self._started(
            request, config.get("display_name"), source, config.get("webhook_config")
        )

    def _started(self, request: Request, name: object, source: object, config: object) -> Response:
        if not isinstance(source, dict):
            raise GoogleError(400, "The batch's input must be an object.")
        batch = self.batches.create(request.path_params["model"], name, source, config)
        return JSONResponse(batch.describe(self._clock.time()))

    async def _list_batches(self, request: Request) -> Response:
        query = request.query_params
        size, token = page_size(query.get("pageSize", "")), query.get("pageToken", "")
        return JSONResponse(self.batches.list(size, token))

    async def _get_batch(self, request: Request) -> Response:
        batch = self.batches.jobs.find(request.path_params["id"])
        return JSONResponse(batch.describe(self._clock.time()))

    async def _cancel_batch(self, request: Request) -> Response:
        self.batches.cancel(request.path_params["id"])
        return JSONResponse({})

    async def _delete_batch(self, request: Request) -> Response:
        self.batches.jobs.remove(request.path_params["id"])
        return JSONResponse({})

    async def _create_video(self, request: Request) -> Response:
        video = self.videos.create(request.path_params["model"], await self._read(request))
        return JSONResponse(video.describe())

    async def _get_video(self, request: Request) -> Response:
        video = self.videos.jobs.find(request.path_params["id"])
        if video.model != request.path_params["model"]:
            raise not_found("Operation", video.id)
        return JSONResponse(video.describe())

    async def _read(self, request: Request) -> dict[str, Any]:
        return await read_object(request, self.settings.max_body_bytes)
