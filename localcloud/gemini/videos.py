"""Videos: long-running operations of a model, named `models/{model}/operations/{id}`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.core.clock import Clock
from localcloud.gemini.content import Content
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.files import File, Files
from localcloud.gemini.ids import new_id
from localcloud.gemini.jobs import Announce, Fate, Jobs, WebhookConfig, webhook_config
from localcloud.gemini.settings import Settings

STATES = ("running", "succeeded", "failed", "filtered")
_RESPONSE = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"
_FILTERED = "The video was filtered because it might violate the policies for generated content."
_LARGEST_COUNT = 4


@dataclass
class Video:
    """The generation of `count` videos; `reasons` say why some of them, or all, were filtered."""

    id: str
    model: str
    count: int
    config: WebhookConfig
    state: str = "running"
    error: Mapping[str, Any] | None = None
    files: Sequence[File] = ()
    reasons: Sequence[str] = ()

    def describe(self) -> dict[str, Any]:
        """Return the operation as the API shows it."""
        operation: dict[str, Any] = {"name": f"models/{self.model}/operations/{self.id}"}
        if self.state != "running":
            operation["done"] = True
        if self.error:
            operation["error"] = dict(self.error)
        if self.state in {"succeeded", "filtered"}:
            operation["response"] = {"@type": _RESPONSE, "generateVideoResponse": self._response()}
        return operation

    def _response(self) -> dict[str, Any]:
        response: dict[str, Any] = {}
        if self.files:
            uris = [file.download_uri for file in self.files]
            response["generatedSamples"] = [{"video": {"uri": uri}} for uri in uris]
        if self.reasons:
            response["raiMediaFilteredCount"] = len(self.reasons)
            response["raiMediaFilteredReasons"] = [*self.reasons]
        return response


class Videos:
    """The video generations of a project. Raises `GoogleError`."""

    def __init__(self, clock: Clock, settings: Settings, files: Files, announce: Announce) -> None:
        self.jobs: Jobs[Video] = Jobs("Operation", clock, settings)
        self._settings = settings
        self._files = files
        self._announce = announce

    def create(self, model: str, request: Mapping[str, Any]) -> Video:
        """Start generating from `{"instances", "parameters": {"sampleCount"}, "webhookConfig"}`."""
        if not isinstance(request.get("instances"), list) or not request["instances"]:
            raise GoogleError(400, "instances must hold at least one prompt.")
        parameters = request.get("parameters") or {}
        count = parameters.get("sampleCount", 1) if isinstance(parameters, dict) else 0
        if not isinstance(count, int) or not 1 <= count <= _LARGEST_COUNT:
            raise GoogleError(400, f"parameters.sampleCount must be 1 to {_LARGEST_COUNT}.")
        config = request.get("webhookConfig", request.get("webhook_config"))
        video = Video(new_id(12), model, count, webhook_config(config))
        self.jobs.add(video.id, video)
        if not self.jobs.draw_stuck():
            self.jobs.later(self._settings.job_seconds, lambda: self._finish(video))
        return video

    def advance(
        self,
        video: Video,
        state: str,
        error: Mapping[str, Any] | None = None,
        *,
        reasons: Sequence[str] = (),
        content: Content | None = None,
        fate: Fate | None = None,
    ) -> None:
        """End a generation; only its success has an event.

        `content` is that of each video; of those that succeed, as many are missing as `reasons`
        are given.
        """
        if state not in STATES:
            raise GoogleError(400, f"state must be one of {', '.join(STATES)}.")
        if video.state != "running":
            raise GoogleError(400, f"Operation {video.id} is already done.")
        if state == "failed":
            video.error = error or {"code": 13, "message": "The video could not be made."}
        if state == "filtered":
            reasons = reasons or [_FILTERED] * video.count
        video.state, video.reasons = state, reasons
        if state != "succeeded":
            return
        content = content or Content.of(b"\0\0\0\x18ftypmp42")
        made = range(max(1, video.count - len(reasons)))
        video.files = [self._files.add(content, mime_type="video/mp4") for _ in made]
        first = video.files[0]
        data = {"file_id": first.name, "video_uri": first.download_uri}
        self._announce("video.generated", data, video.config, fate)

    def _finish(self, video: Video) -> None:
        if video.state == "running":
            self.advance(video, "succeeded")
