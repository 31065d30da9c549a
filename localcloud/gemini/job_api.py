"""Interactions, batches and videos over HTTP, and the controls that end them."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from localcloud.core.clock import Clock
from localcloud.gemini.batches import Batch, Batches
from localcloud.gemini.errors import GoogleError, not_found
from localcloud.gemini.gate import Gate, read_object
from localcloud.gemini.interaction import Interaction
from localcloud.gemini.interactions import Interactions
from localcloud.gemini.jobs import Announce
from localcloud.gemini.settings import Settings
from localcloud.gemini.stream import stream
from localcloud.gemini.videos import Video, Videos

AnyJob = Interaction | Batch | Video


class JobApi:
    """The routes of all kinds of job."""

    def __init__(self, clock: Clock, settings: Settings, announce: Announce) -> None:
        self.interactions = Interactions(clock, settings, announce)
        self.batches = Batches(clock, settings, announce)
        self.videos = Videos(clock, settings, announce)
        self._clock = clock
        self._settings = settings

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

    def controls(self) -> list[BaseRoute]:
        """Return the control routes: all jobs, and the end (or any state) of one."""
        return [
            Route("/jobs", self._show_jobs, methods=["GET"]),
            Route("/jobs/{id}", self._advance, methods=["POST"]),
            Route("/jobs/{id}/frames", self._add_frames, methods=["POST"]),
        ]

    async def close(self) -> None:
        """Cancel the ends of jobs that are scheduled."""
        for kind in (self.interactions, self.batches, self.videos):
            await kind.jobs.close()

    async def _create_interaction(self, request: Request) -> Response:
        body = await self._read(request)
        interaction = self.interactions.create(body)
        if body.get("stream") is True:
            return stream(interaction, "")
        return JSONResponse(interaction.describe(self._clock.time()))

    async def _get_interaction(self, request: Request) -> Response:
        interaction = self.interactions.find(request.path_params["id"])
        if request.query_params.get("stream") == "true":
            return stream(interaction, request.query_params.get("last_event_id", ""))
        return JSONResponse(interaction.describe(self._clock.time()))

    async def _delete_interaction(self, request: Request) -> Response:
        self.interactions.jobs.remove(request.path_params["id"])
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
        return JSONResponse(batch.describe())

    async def _list_batches(self, _request: Request) -> Response:
        operations = [batch.describe() for batch in self.batches.jobs]
        return JSONResponse({"operations": operations})

    async def _get_batch(self, request: Request) -> Response:
        return JSONResponse(self.batches.jobs.find(request.path_params["id"]).describe())

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

    async def _show_jobs(self, _request: Request) -> Response:
        return JSONResponse({"jobs": [_shown(job) for job in self._all()]})

    async def _advance(self, request: Request) -> Response:
        body = await self._read(request)
        job, state = self._find(request.path_params["id"]), str(body.get("state", ""))
        error = body.get("error")
        if error is not None and not (
            isinstance(error, dict) and {"code", "message"} <= error.keys()
        ):
            raise GoogleError(400, "error must have a code and a message.")
        if isinstance(job, Interaction):
            text = str(body.get("output_text", "Done." if state == "completed" else ""))
            self.interactions.advance(job, state, error=error, output_text=text)
        elif isinstance(job, Batch):
            self.batches.advance(job, state, error)
        else:
            self.videos.advance(job, state, error)
        return JSONResponse(_shown(job))

    async def _add_frames(self, request: Request) -> Response:
        frames = (await self._read(request)).get("frames")
        job = self.interactions.find(request.path_params["id"])
        if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
            raise GoogleError(400, "frames must be a list of objects.")
        for frame in frames:
            job.add_frame(frame)
        return JSONResponse({"frames": len(job.frames)})

    def _all(self) -> Iterator[AnyJob]:
        yield from self.interactions.jobs
        yield from self.batches.jobs
        yield from self.videos.jobs

    def _find(self, identifier: str) -> AnyJob:
        for job in self._all():
            if job.id == identifier:
                return job
        raise not_found("Job", identifier)

    async def _read(self, request: Request) -> dict[str, Any]:
        return await read_object(request, self._settings.max_body_bytes)


def _shown(job: AnyJob) -> dict[str, str]:
    state = job.status if isinstance(job, Interaction) else job.state
    return {"id": job.id, "kind": type(job).__name__.lower(), "state": state}
