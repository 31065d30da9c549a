"""The stream of an interaction as server-sent events, from the start or after an event seen.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response

from localcloud.gemini.errors import GoogleError
from localcloud.gemini.faults import Body, Fault, body_fault, strike
from localcloud.gemini.interaction import ENDED, Interaction

_DONE = b"data: [DONE]\n\n"
_WITHIN_AN_EVENT = b'data: {"event_type":"step.del'
# Seen after 600 s. A parser of server-sent events takes it for lines of unknown fields.
_ARRAY = (
    b'[{"error": {"code": 504, "message": "Deadline expired.", "status": "DEADLINE_EXCEEDED"}}]\n'
)


def stream(interaction: Interaction, request: Request) -> Response:
    """Return the stream, resumed after the request's `last_event_id` if it has one."""
    start = _start(interaction, request.query_params.get("last_event_id", ""))
    frames = _frames(interaction, start, body_fault(request))
    return Body(frames, media_type="text/event-stream")


def _start(interaction: Interaction, last_event_id: str) -> int:
    if not last_event_id:
        return 0
    for position, frame in enumerate(interaction.frames):
        if frame.get("event_id") == last_event_id:
            return position + 1
    raise GoogleError(400, f"Unknown last_event_id {last_event_id!r}.")


async def _frames(
    interaction: Interaction, position: int, fault: Fault | None
) -> AsyncIterator[bytes]:
    last = None if fault is None else max(fault.after, position)
    while True:
        changed = interaction.changed
        for frame in interaction.frames[position:last]:
            position += 1
            yield f"data: {json.dumps(frame, separators=(',', ':'))}\n\n".encode()
        if fault is not None and position == last:
            async for piece in _struck(fault):
                yield piece
            return
        if interaction.status in ENDED:
            yield _DONE
            return
        await changed.wait()


async def _struck(fault: Fault) -> AsyncIterator[bytes]:
    if fault.kind == "cut-frame":
        yield _WITHIN_AN_EVENT
    elif fault.kind == "cut-array":
        yield _ARRAY
    else:
        await strike(fault)
