"""One interaction: its states, what the API shows of it, and the events of its stream."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from localcloud.gemini.catalogue import rfc3339
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.jobs import WebhookConfig

Status = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "requires_continuation",
    "completed",
    "failed",
    "cancelled",
    "incomplete",
    "budget_exceeded",
]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED = frozenset({"completed", "failed", "cancelled", "incomplete", "budget_exceeded"})

_SHOWN_OF_REQUEST = ("model", "agent", "input", "previous_interaction_id", "webhook_config")


@dataclass
class Interaction:
    """An interaction; times are Unix seconds. `frames` are the JSON objects of its stream."""

    id: str
    request: Mapping[str, Any]
    config: WebhookConfig
    created: float
    updated: float
    status: Status = "in_progress"
    error: Mapping[str, str] | None = None
    output_text: str = ""
    frames: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    hidden_until: float = 0.0

    @property
    def background(self) -> bool:
        """Return whether it runs in the background."""
        return self.request.get("background") is True

    @property
    def agent(self) -> str:
        """The agent's name, or nothing where a model answers."""
        return str(self.request.get("agent", ""))

    def advance(self, status: Status, now: float) -> None:
        """Go to another state. Raises the 400 where it has ended already."""
        if self.status in ENDED:
            raise GoogleError(400, f"Interaction {self.id} is already {self.status}.")
        self.status, self.updated = status, now
        self._tell_stream()

    def add_frame(self, frame: Mapping[str, Any]) -> None:
        """Add an event to the stream, under the next id unless the frame brings its own.

        A frame whose `event_id` is None goes out without one.
        """
        numbered = {"event_id": f"e{len(self.frames) + 1}", **frame}
        self.frames.append({name: value for name, value in numbered.items() if value is not None})
        previous, self.changed = self.changed, asyncio.Event()
        previous.set()

    def describe(self, now: float) -> dict[str, Any]:
        """Return the resource as the API shows it at that time."""
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "interaction",
            "status": "in_progress" if now < self.hidden_until else self.status,
            "created": rfc3339(self.created),
            "updated": rfc3339(self.updated),
            "steps": self._steps(),
        }
        shown |= {name: self.request[name] for name in _SHOWN_OF_REQUEST if name in self.request}
        if self.error:
            shown["errors"] = [dict(self.error)]
        if self.status == "requires_continuation":
            shown["continuation_token"] = f"continue_{self.id}"
        return shown

    def summary(self) -> dict[str, Any]:
        """Return the partial resource that lifecycle events of the stream hold."""
        return {"id": self.id, "status": self.status, "object": "interaction"}

    def _steps(self) -> list[dict[str, Any]]:
        if not self.output_text:
            return []
        content = [{"type": "text", "text": self.output_text}]
        return [{"type": "model_output", "content": content}]

    def _tell_stream(self) -> None:
        if self.status == "completed":
            self._tell_output()
            self.add_frame({"event_type": "interaction.completed", "interaction": self.summary()})
            return
        if self.status == "failed" and self.error:
            self.add_frame({"event_type": "error", "error": dict(self.error)})
        update = {"interaction_id": self.id, "status": self.status}
        self.add_frame({"event_type": "interaction.status_update", **update})

    def _tell_output(self) -> None:
        step = {"type": "model_output", "content": []}
        self.add_frame({"event_type": "step.start", "index": 0, "step": step})
        for word in self.output_text.splitlines(keepends=True):
            delta = {"type": "text", "text": word}
            self.add_frame({"event_type": "step.delta", "index": 0, "delta": delta})
        self.add_frame({"event_type": "step.stop", "index": 0})
