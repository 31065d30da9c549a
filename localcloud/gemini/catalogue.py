"""The catalogue of events: their types, what their data looks like, and who may subscribe."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SUBSCRIBABLE = (
    "batch.succeeded",
    "batch.failed",
    "batch.expired",
    "interaction.completed",
    "interaction.requires_action",
    "interaction.failed",
    "video.generated",
)
"""The API's enum for `subscribed_events`."""

TYPES = (*SUBSCRIBABLE, "batch.completed", "batch.cancelled", "interaction.cancelled")
"""Every type that Google's documentation names. The catalogue is open: others may come."""


def rfc3339(time: float) -> str:
    """Write a Unix time in seconds as `2026-01-22T12:00:00Z`."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def example_data(event_type: str, identifier: str) -> dict[str, Any]:
    """Return the data of an event as the documentation shows it, for a job called `identifier`."""
    if event_type == "video.generated":
        uri = f"https://generativelanguage.googleapis.com/v1beta/files/{identifier}:download"
        return {"file_id": f"files/{identifier}", "video_uri": uri}
    data: dict[str, Any] = {"id": identifier}
    if event_type in {"batch.succeeded", "batch.completed"}:
        data["output_file_uri"] = "gs://my-bucket/results.jsonl"
    if event_type.endswith(".failed"):
        data |= {"error_code": "INTERNAL", "error_message": "The job failed."}
    return data


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
