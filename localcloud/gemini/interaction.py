"""One interaction: its states, what the API shows of it, and the events of its stream."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localcloud.gemini.catalogue import rfc3339
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.jobs import WebhookConfig
from localcloud.gemini.settings import Settings

ENDED = frozenset({"completed", "failed", "cancelled", "incomplete", "budget_exceeded"})
"""The states that an interaction does not leave. There may be states that nobody has heard of."""

_SHOWN_OF_REQUEST = ("model", "agent", "input", "previous_interaction_id", "webhook_config")


@dataclass
class Interaction:
    """An interaction; times are Unix seconds. `frames` are the JSON objects of its stream.

    `environment_id` is that of a managed agent, and empty for all else.
    """

    id: str
    request: Mapping[str, Any]
    config: WebhookConfig
    settings: Settings
    created: float
    updated: float
    environment_id: str = ""
    status: str = "in_progress"
    error: Mapping[str, str] | None = None
    steps: list[Mapping[str, Any]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    hidden_until: float = 0.0

    @property
    def background(self) -> bool:
        """Return whether it runs in the background."""
        return self.request.get("background") is True

    @property
    def managed(self) -> bool:
        """Return whether a managed agent answers, whether named as an agent or as a model."""
        name = self.request.get("agent") or self.request.get("model")
        return str(name).startswith(self.settings.managed_agent_prefixes)

    def open_calls(self) -> set[str]:
        """Return the ids of the functions that it has called and that have no result."""
        calls = {step["id"] for step in self.steps if step["type"] == "function_call"}
        return calls - {step["call_id"] for step in self.steps if step["type"] == "function_result"}

    def advance(
        self,
        status: str,
        now: float,
        *,
        error: Mapping[str, str] | None = None,
        steps: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Go to another state, with some more steps. Raises the 400 where it has ended already."""
        if self.status in ENDED:
            raise GoogleError(400, f"Interaction {self.id} is already {self.status}.")
        self.status, self.updated, self.error = status, now, error
        for step in steps:
            self._tell_step(len(self.steps), step)
            self.steps.append(step)
        self._tell_status()

    def add_frame(self, frame: Mapping[str, Any]) -> None:
        """Add an event to the stream, under the next id unless the frame brings its own.

        A frame whose `event_id` is None goes out without one.
        """
        numbered = {"event_id": f"e{len(self.frames) + 1}", **frame}
        if self.settings.deltas_without_ids and frame.get("event_type") == "step.delta":
            numbered["event_id"] = None
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
            "steps": [dict(step) for step in self.steps],
        }
        shown |= {name: self.request[name] for name in _SHOWN_OF_REQUEST if name in self.request}
        if self.error:
            shown["errors"] = [dict(self.error)]
        if self.environment_id:
            shown["environment_id"] = self.environment_id
        if self.status == "requires_continuation":
            shown["continuation_token"] = f"continue_{self.id}"
        if self.status in ENDED and now >= self.updated + self.settings.usage_lag_seconds:
            tokens = {"total_input_tokens": 1, "total_output_tokens": len(self.steps)}
            shown["usage"] = tokens | {"total_tokens": 1 + len(self.steps)}
        return shown

    def summary(self) -> dict[str, Any]:
        """Return the partial resource that lifecycle events of the stream hold."""
        return {"id": self.id, "status": self.status, "object": "interaction"}

    def _tell_status(self) -> None:
        form = self.settings.stream_states_as
        if self.status == "failed" and self.error and form == "status_update":
            self.add_frame({"event_type": "error", "error": dict(self.error)})
        if self.status == "completed" or (form == "completed" and self.status in ENDED):
            self.add_frame({"event_type": "interaction.completed", "interaction": self.summary()})
        elif form == "type":
            event_type = f"interaction.{self.status}"
            self.add_frame({"event_type": event_type, "interaction": self.summary()})
        else:
            update = {"interaction_id": self.id, "status": self.status}
            self.add_frame({"event_type": "interaction.status_update", **update})

    def _tell_step(self, index: int, step: Mapping[str, Any]) -> None:
        begun, deltas = _begun(step)
        self.add_frame({"event_type": "step.start", "index": index, "step": begun})
        for delta in deltas:
            self.add_frame({"event_type": "step.delta", "index": index, "delta": delta})
        self.add_frame({"event_type": "step.stop", "index": index})


def output_step(text: str) -> dict[str, Any]:
    """Return the step in which a model says something."""
    return {"type": "model_output", "content": [{"type": "text", "text": text}]}


def _begun(step: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a step as its start shows it, and the deltas that make it whole."""
    match step:
        case {"type": "model_output", "content": [{"type": "text", "text": str(text)}]}:
            lines = text.splitlines(keepends=True)
            return {**step, "content": []}, [{"type": "text", "text": line} for line in lines]
        case {"type": "function_call", "arguments": arguments}:
            delta = {"type": "arguments_delta", "arguments": json.dumps(arguments)}
            return {**step, "arguments": {}}, [delta]
    return dict(step), []
