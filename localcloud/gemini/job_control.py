"""The controls of jobs: all of them, the end or any other state of one, and odd events of streams.

Gemini has no such calls.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from localcloud.gemini.batches import Batch
from localcloud.gemini.errors import GoogleError, not_found
from localcloud.gemini.file_api import read_content
from localcloud.gemini.gate import read_object
from localcloud.gemini.interaction import Interaction, output_step
from localcloud.gemini.job_api import JobApi
from localcloud.gemini.jobs import Fate
from localcloud.gemini.videos import Video

AnyJob = Interaction | Batch | Video
_STEPS_WITH_ID = {"function_call": "id", "function_result": "call_id"}


class JobControl:
    """The routes that control jobs, also those deleted, which run on."""

    def __init__(self, jobs: JobApi) -> None:
        self._jobs = jobs

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/jobs", self._show, methods=["GET"]),
            Route("/jobs/{id}", self._advance, methods=["POST"]),
            Route("/jobs/{id}/frames", self._add_frames, methods=["POST"]),
        ]

    async def _show(self, _request: Request) -> Response:
        return JSONResponse({"jobs": [_shown(job) for job in self._all()]})

    async def _advance(self, request: Request) -> Response:
        body = await self._read(request)
        job, state = self._find(request.path_params["id"]), str(body.get("state", ""))
        error, fate = _error(body.get("error")), _fate(body.get("webhook"))
        match job:
            case Interaction():
                steps = _steps(body, state)
                self._jobs.interactions.advance(job, state, error=error, steps=steps, fate=fate)
            case Batch():
                results = None if "results" not in body else _objects("results", body["results"])
                content = read_content(body)
                self._jobs.batches.advance(
                    job, state, error, results=results, content=content, fate=fate
                )
            case Video():
                reasons, content = _reasons(body.get("reasons", [])), read_content(body)
                self._jobs.videos.advance(
                    job, state, error, reasons=reasons, content=content, fate=fate
                )
        return JSONResponse(_shown(job))

    async def _add_frames(self, request: Request) -> Response:
        frames = _objects("frames", (await self._read(request)).get("frames"))
        job = self._find(request.path_params["id"])
        if not isinstance(job, Interaction):
            raise not_found("Interaction", job.id)
        for frame in frames:
            job.add_frame(frame)
        return JSONResponse({"frames": len(job.frames)})

    def _all(self) -> Iterator[AnyJob]:
        yield from self._jobs.interactions.jobs.everything()
        yield from self._jobs.batches.jobs.everything()
        yield from self._jobs.videos.jobs.everything()

    def _find(self, identifier: str) -> AnyJob:
        for job in self._all():
            if job.id == identifier:
                return job
        raise not_found("Job", identifier)

    async def _read(self, request: Request) -> dict[str, Any]:
        return await read_object(request, self._jobs.settings.max_body_bytes)


def _shown(job: AnyJob) -> dict[str, str]:
    state = job.status if isinstance(job, Interaction) else job.state
    return {"id": job.id, "kind": type(job).__name__.lower(), "state": state}


def _error(value: object) -> Mapping[str, Any] | None:
    if value is not None and not (isinstance(value, dict) and {"code", "message"} <= value.keys()):
        raise GoogleError(400, "error must have a code and a message.")
    return value


def _fate(value: object) -> Fate | None:
    if value is not None and value not in get_args(Fate):
        raise GoogleError(400, f"webhook must be one of {', '.join(get_args(Fate))}.")
    return cast("Fate | None", value)


def _steps(body: Mapping[str, Any], state: str) -> list[dict[str, Any]]:
    """Read `steps`, after which comes what `output_text` says."""
    steps = _objects("steps", body.get("steps", []))
    for step in steps:
        kind = step.get("type")
        identifier = _STEPS_WITH_ID.get(str(kind), "type")
        if not isinstance(kind, str) or not isinstance(step.get(identifier), str):
            raise GoogleError(400, f"A step of type {kind!r} needs {identifier}.")
    text = body.get("output_text", "Done." if state == "completed" and not steps else "")
    if not isinstance(text, str):
        raise GoogleError(400, "output_text must be a string.")
    return [*steps, output_step(text)] if text else steps


def _objects(name: str, value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise GoogleError(400, f"{name} must be a list of objects.")
    return value


def _reasons(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(reason, str) for reason in value):
        raise GoogleError(400, "reasons must be a list of strings.")
    return value
