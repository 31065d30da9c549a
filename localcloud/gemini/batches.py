"""Batches: long-running operations whose metadata holds their state.

https://ai.google.dev/api/batch-api
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.core.clock import Clock
from localcloud.gemini.catalogue import rfc3339
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.ids import new_id
from localcloud.gemini.jobs import Announce, Jobs, WebhookConfig, webhook_config
from localcloud.gemini.settings import Settings

STATES = ("pending", "running", "succeeded", "failed", "cancelled", "expired")
_ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"


@dataclass
class Batch:
    """A batch; `requests` is None for one that reads a file. Times are Unix seconds."""

    id: str
    model: str
    display_name: str
    file_name: str | None
    requests: list[Any] | None
    config: WebhookConfig
    created: float
    updated: float
    state: str = "pending"
    error: Mapping[str, Any] | None = None

    @property
    def responses_file(self) -> str:
        """The file that holds the results of a batch that read a file."""
        return f"files/batch-{self.id}"

    def describe(self) -> dict[str, Any]:
        """Return the operation as the API shows it."""
        metadata: dict[str, Any] = {
            "@type": _TYPE,
            "name": f"batches/{self.id}",
            "model": f"models/{self.model}",
            "displayName": self.display_name,
            "state": f"BATCH_STATE_{self.state.upper()}",
            "createTime": rfc3339(self.created),
            "updateTime": rfc3339(self.updated),
        }
        operation: dict[str, Any] = {"name": f"batches/{self.id}", "metadata": metadata}
        if self.state in _ENDED:
            metadata["endTime"] = rfc3339(self.updated)
            operation["done"] = True
        if self.state == "succeeded":
            metadata["output"] = operation["response"] = self._output()
        if self.error:
            operation["error"] = dict(self.error)
        return operation

    def _output(self) -> dict[str, Any]:
        if self.requests is None:
            return {"responsesFile": self.responses_file}
        part = {"content": {"role": "model", "parts": [{"text": "Done."}]}, "finishReason": "STOP"}
        responses = [
            {"response": {"candidates": [part]}, "metadata": request.get("metadata", {})}
            for request in self.requests
        ]
        return {"inlinedResponses": {"inlinedResponses": responses}}


class Batches:
    """The batches of a project. Raises `GoogleError`."""

    def __init__(self, clock: Clock, settings: Settings, announce: Announce) -> None:
        self.jobs: Jobs[Batch] = Jobs("Batch", clock, settings)
        self._clock = clock
        self._settings = settings
        self._announce = announce

    def create(
        self,
        model: str,
        display_name: object,
        source: Mapping[str, Any],
        config: object,
    ) -> Batch:
        """Start a batch from `{"fileName"}` or `{"requests": {"requests": […]}}`."""
        now = self._clock.time()
        file_name, requests = _input(source)
        batch = Batch(
            new_id(),
            model,
            str(display_name or ""),
            file_name,
            requests,
            webhook_config(config),
            now,
            now,
        )
        self.jobs.add(batch.id, batch)
        self.jobs.later(self._settings.job_seconds, lambda: self._finish(batch, "succeeded"))
        expires = self._settings.batch_expires_seconds
        self.jobs.later(expires, lambda: self._finish(batch, "expired"))
        return batch

    def cancel(self, identifier: str) -> None:
        """Cancel a batch; one that has ended stays as it is."""
        self._finish(self.jobs.find(identifier), "cancelled")

    def advance(self, batch: Batch, state: str, error: Mapping[str, Any] | None = None) -> None:
        """Take a batch to another state, and announce its end."""
        if state not in STATES:
            raise GoogleError(400, f"state must be one of {', '.join(STATES)}.")
        if batch.state in _ENDED:
            raise GoogleError(400, f"Batch {batch.id} is already {batch.state}.")
        if state == "failed":
            batch.error = error or {"code": 13, "message": "The batch failed."}
        batch.state, batch.updated = state, self._clock.time()
        if state in _ENDED:
            self._tell(batch)

    def _finish(self, batch: Batch, state: str) -> None:
        if batch.state not in _ENDED:
            self.advance(batch, state)

    def _tell(self, batch: Batch) -> None:
        if batch.state == "cancelled" and not self._settings.announce_cancellations:
            return
        data: dict[str, Any] = {"id": self._settings.batch_event_id.format(id=batch.id)}
        if batch.state == "succeeded" and batch.file_name is not None:
            data["output_file_uri"] = batch.responses_file
        if batch.error:
            code, message = str(batch.error["code"]), batch.error["message"]
            data |= {"error_code": code, "error_message": message}
        self._announce(f"batch.{batch.state}", data, batch.config)


def _input(source: Mapping[str, Any]) -> tuple[str | None, list[Any] | None]:
    file_name = source.get("fileName", source.get("file_name"))
    if isinstance(file_name, str) and file_name:
        return file_name, None
    requests = source.get("requests")
    inner = requests.get("requests") if isinstance(requests, dict) else requests
    if not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
        raise GoogleError(400, "A batch needs inputConfig.fileName or inputConfig.requests.")
    return None, inner
