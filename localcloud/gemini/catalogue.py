"""The catalogue of events: their types, what their data looks like, and who may subscribe.

It is read from `schemas/`: one JSON Schema for each event type, with examples. A link beside this
module leads there, so that an installed package holds the schemas too.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parent / "schemas").glob("*.json"))
}
"""The JSON Schema of each event type's body."""

TYPES = tuple(SCHEMAS)
"""Every type that Google's documentation names. The catalogue is open: others may come."""

SUBSCRIBABLE = tuple(name for name, schema in SCHEMAS.items() if schema["x-subscribable"])
"""The API's enum for `subscribed_events`."""


def rfc3339(time: float) -> str:
    """Write a Unix time in seconds as `2026-01-22T12:00:00Z`."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def example_data(event_type: str, identifier: str) -> dict[str, Any]:
    """Return the data of an event as its schema's first example has it, for a job `identifier`.

    Of a type that the catalogue does not know it holds the id alone.
    """
    if event_type not in SCHEMAS:
        return {"id": identifier}
    data = SCHEMAS[event_type]["examples"][0]["data"]
    shown = data.get("id") or data["file_id"].removeprefix("files/")
    return {name: value.replace(shown, identifier) for name, value in data.items()}


def envelope(
    event_type: str,
    data: Mapping[str, Any],
    *,
    now: float,
    user_metadata: Mapping[str, Any] | None = None,
    metadata_in: str = "top",
) -> bytes:
    """Return the body of a delivery: thin, compact JSON."""
    event: dict[str, Any] = {
        "type": event_type,
        "version": "v1",
        "timestamp": rfc3339(now),
        "data": dict(data),
    }
    if user_metadata is not None:
        (event if metadata_in == "top" else event["data"])["user_metadata"] = dict(user_metadata)
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
