"""Bodies of deliveries and events, as far as the command reads them."""

import base64
import json
from collections.abc import Mapping

from relay.jobs.names import event_subject


def body_type(data: bytes) -> str:
    """Return the `type` that a body states, or the empty string."""
    document = parsed(data)
    kind = document.get("type") if isinstance(document, Mapping) else None
    return kind if isinstance(kind, str) else ""


def body_subject(data: bytes) -> str:
    """Return the id of the job or file that a body is about, or the empty string."""
    document = parsed(data)
    about = document.get("data") if isinstance(document, Mapping) else None
    return event_subject(about) if isinstance(about, Mapping) else ""


def parsed(data: bytes) -> object:
    """Return the JSON document that a body holds, or None if it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def presentable(data: bytes) -> object:
    """Return a body for JSON output: its document, or `{"base64": …}` if it is not JSON."""
    document = parsed(data)
    return {"base64": base64.b64encode(data).decode()} if document is None else document
