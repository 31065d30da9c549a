"""Batches: long-running operations whose metadata holds their state.

https://ai.google.dev/api/batch-api
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.core.clock import Clock
from localcloud.gemini.catalogue import rfc3339
from localcloud.gemini.content import Content
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.files import Files
from localcloud.gemini.ids import new_id
from localcloud.gemini.jobs import Announce, Fate, Jobs, WebhookConfig, webhook_config
from localcloud.gemini.paging import page
from localcloud.gemini.settings import Settings

_STATE = re.compile(r"[a-z]+(_[a-z]+)*")
_ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"


@dataclass
class Batch:
    """A batch, the `number`-th; `requests` is None for one that reads a file.

    `responses` are the results of one that does not. Times are Unix seconds.
    """

    id: str
    number: int
    model: str
    display_name: str
    file_name: str | None
    requests: list[Any] | None
    config: WebhookConfig
    created: float
    updated: float
    state: str = "pending"
    error: Mapping[str, Any] | None = None
    responses: Sequence[Mapping[str, Any]] = ()
    hidden_until: float = 0.0

    @property
    def responses_file(self) -> str:
        """The file that holds the results of a batch that read a file."""
        return f"files/batch-{self.id}"

    def describe(self, now: float) -> dict[str, Any]:
        """Return the operation as the API shows it at that time."""
        state = "running" if now < self.hidden_until else self.state
        metadata: dict[str, Any] = {
            "@type": _TYPE,
            "name": f"batches/{self.id}",
            "model": f"models/{self.model}",
            "displayName": self.display_name,
            "state": f"BATCH_STATE_{state.upper()}",
            "createTime": rfc3339(self.created),
            "updateTime": rfc3339(self.updated),
        }
        operation: dict[str, Any] = {"name": f"batches/{self.id}", "metadata": metadata}
        if state in _ENDED:
            metadata["endTime"] = rfc3339(self.updated)
            operation["done"] = True
        if state == "succeeded":
            metadata["output"] = operation["response"] = self._output()
        if self.error:
            operation["error"] = dict(self.error)
        return operation

    def _output(self) -> dict[str, Any]:
        if self.requests is None:
            return {"responsesFile": self.responses_file}
        return {"inlinedResponses": {"inlinedResponses": [*self.responses]}}


class Batches:
    """The batches of a project. Raises `GoogleError`."""

    def __init__(self, clock: Clock, settings: Settings, files: Files, announce: Announce) -> None:
        self.jobs: Jobs[Batch] = Jobs("Batch", clock, settings)
        self._clock = clock
        self._settings = settings
        self._files = files
        self._announce = announce
        self._started = 0

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
        self._started += 1
        batch = Batch(
            new_id(),
            self._started,
            model,
            str(display_name or ""),
            file_name,
            requests,
            webhook_config(config),
            now,
            now,
        )
        self.jobs.add(batch.id, batch)
        if not self.jobs.draw_stuck():
            self.jobs.later(self._settings.job_seconds, lambda: self._finish(batch, "succeeded"))
            expires = self._settings.batch_expires_seconds
            self.jobs.later(expires, lambda: self._finish(batch, "expired"))
        return batch

    def list(self, size: int | None, token: str) -> dict[str, Any]:
        """Show a page of batches, newest first."""
        newest = reversed([*self.jobs])
        batches, following = page(newest, lambda batch: -batch.number, size, token)
        now = self._clock.time()
        shown: dict[str, Any] = {"operations": [batch.describe(now) for batch in batches]}
        return shown | ({"nextPageToken": following} if following else {})

    def cancel(self, identifier: str) -> None:
        """Cancel a batch; one that has ended stays as it is. Looking it up may lag."""
        batch = self.jobs.find(identifier)
        if batch.state not in _ENDED:
            self.advance(batch, "cancelled")
            batch.hidden_until = self._clock.time() + self._settings.cancel_lag_seconds

    def advance(
        self,
        batch: Batch,
        state: str,
        error: Mapping[str, Any] | None = None,
        *,
        results: Sequence[Mapping[str, Any]] | None = None,
        content: Content | None = None,
        fate: Fate | None = None,
    ) -> None:
        """Take a batch to another state, and announce its end.

        A success has `results`, else one for each request. Those of a batch that reads a file lie
        in a file, of which `content` may be everything.
        """
        if not _STATE.fullmatch(state):
            raise GoogleError(400, "state must be lower-case words joined by underscores.")
        if batch.state in _ENDED:
            raise GoogleError(400, f"Batch {batch.id} is already {batch.state}.")
        if state == "failed":
            batch.error = error or {"code": 13, "message": "The batch failed."}
        if state == "succeeded":
            self._keep_results(batch, results, content)
        batch.state, batch.updated = state, self._clock.time()
        if state in _ENDED:
            self._tell(batch, fate)

    def _finish(self, batch: Batch, state: str) -> None:
        if batch.state not in _ENDED:
            self.advance(batch, state)

    def _keep_results(
        self, batch: Batch, results: Sequence[Mapping[str, Any]] | None, content: Content | None
    ) -> None:
        if batch.requests is not None:
            batch.responses = results if results is not None else [*map(_answer, batch.requests)]
            if self._settings.inline_results_shuffled:
                batch.responses = [_bare(each) for each in reversed(batch.responses)]
            return
        if content is None:
            lines = results if results is not None else map(_answer, self._requests(batch))
            content = Content.of("".join(f"{json.dumps(line)}\n" for line in lines).encode())
        identifier = batch.responses_file.removeprefix("files/")
        self._files.add(content, identifier=identifier, mime_type="application/jsonl")

    def _requests(self, batch: Batch) -> Iterable[Any]:
        # A file that nobody has uploaded here stands for one with a single request.
        identifier = str(batch.file_name).removeprefix("files/")
        if identifier not in self._files:
            return [{"key": "request-1"}]
        text = b"".join(self._files.find(identifier).content.chunks())
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            raise GoogleError(400, f"{batch.file_name} is not JSON Lines.") from None

    def _tell(self, batch: Batch, fate: Fate | None) -> None:
        if batch.state == "cancelled" and not self._settings.announce_cancellations:
            return
        data: dict[str, Any] = {"id": self._settings.batch_event_id.format(id=batch.id)}
        if batch.state == "succeeded" and batch.file_name is not None:
            data["output_file_uri"] = batch.responses_file
        if batch.error:
            code, message = str(batch.error["code"]), batch.error["message"]
            data |= {"error_code": code, "error_message": message}
        self._announce(f"batch.{batch.state}", data, batch.config, fate)


def _input(source: Mapping[str, Any]) -> tuple[str | None, list[Any] | None]:
    file_name = source.get("fileName", source.get("file_name"))
    if isinstance(file_name, str) and file_name:
        return file_name, None
    requests = source.get("requests")
    inner = requests.get("requests") if isinstance(requests, dict) else requests
    if not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
        raise GoogleError(400, "A batch needs inputConfig.fileName or inputConfig.requests.")
    return None, inner


def _answer(request: Any) -> dict[str, Any]:
    part = {"content": {"role": "model", "parts": [{"text": "Done."}]}, "finishReason": "STOP"}
    known = request if isinstance(request, dict) else {}
    about = {name: known[name] for name in ("key", "metadata") if name in known}
    return {**about, "response": {"candidates": [part]}}


def _bare(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in {"key", "metadata"}}
