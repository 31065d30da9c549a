"""Videos: long-running operations of a model, named `models/{model}/operations/{id}`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.core.clock import Clock
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.ids import new_id
from localcloud.gemini.jobs import Announce, Jobs, WebhookConfig, webhook_config
from localcloud.gemini.settings import Settings

STATES = ("running", "succeeded", "failed")
_RESPONSE = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"


@dataclass
class Video:
    """The generation of a video."""

    id: str
    model: str
    config: WebhookConfig
    state: str = "running"
    error: Mapping[str, Any] | None = None

    @property
    def uri(self) -> str:
        """Where the finished video can be downloaded."""
        base = "https://generativelanguage.googleapis.com/v1beta"
        return f"{base}/files/{self.id}:download?alt=media"

    def describe(self) -> dict[str, Any]:
        """Return the operation as the API shows it."""
        operation: dict[str, Any] = {"name": f"models/{self.model}/operations/{self.id}"}
        if self.state != "running":
            operation["done"] = True
        if self.error:
            operation["error"] = dict(self.error)
        if self.state == "succeeded":
            samples = {"generatedSamples": [{"video": {"uri": self.uri}}]}
            operation["response"] = {"@type": _RESPONSE, "generateVideoResponse": samples}
        return operation


class Videos:
    """The video generations of a project. Raises `GoogleError`."""

    def __init__(self, clock: Clock, settings: Settings, announce: Announce) -> None:
        self.jobs: Jobs[Video] = Jobs("Operation", clock, settings)
        self._settings = settings
        self._announce = announce

    def create(self, model: str, request: Mapping[str, Any]) -> Video:
        """Start generating from `{"instances", "webhookConfig"}`."""
        if not isinstance(request.get("instances"), list) or not request["instances"]:
            raise GoogleError(400, "instances must hold at least one prompt.")
        config = request.get("webhookConfig", request.get("webhook_config"))
        video = Video(new_id(12), model, webhook_config(config))
        self.jobs.add(video.id, video)
        self.jobs.later(self._settings.job_seconds, lambda: self._finish(video))
        return video

    def advance(self, video: Video, state: str, error: Mapping[str, Any] | None = None) -> None:
        """End a generation; only its success has an event."""
        if state not in STATES:
            raise GoogleError(400, f"state must be one of {', '.join(STATES)}.")
        if video.state != "running":
            raise GoogleError(400, f"Operation {video.id} is already done.")
        if state == "failed":
            video.error = error or {"code": 13, "message": "The video could not be made."}
        video.state = state
        if state == "succeeded":
            data = {"file_id": f"files/{video.id}", "video_uri": video.uri}
            self._announce("video.generated", data, video.config)

    def _finish(self, video: Video) -> None:
        if video.state == "running":
            self.advance(video, "succeeded")
