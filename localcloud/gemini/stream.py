"""The stream of an interaction as server-sent events, from the start or after an event seen.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from localcloud.gemini.errors import GoogleError
from localcloud.gemini.interaction import ENDED, Interaction

_DONE = b"data: [DONE]\n\n"
_CUT = "cut"


def stream(interaction: Interaction, last_event_id: str) -> StreamingResponse:
    """Return the stream, resumed after `last_event_id` unless that is empty."""
    frames = _frames(interaction, _start(interaction, last_event_id))
    return StreamingResponse(frames, media_type="text/event-stream")


def _start(interaction: Interaction, last_event_id: str) -> int:
    if not last_event_id:
        return 0
    for position, frame in enumerate(interaction.frames):
        if frame.get("event_id") == last_event_id:
            return position + 1
    raise GoogleError(400, f"Unknown last_event_id {last_event_id!r}.")


async def _frames(interaction: Interaction, position: int) -> AsyncIterator[bytes]:
    while True:
        changed = interaction.changed
        for frame in interaction.frames[position:]:
            position += 1
            data = json.dumps(frame, separators=(",", ":"))
            if frame.get("event_type") == _CUT:
                # A broken connection ends within a frame.
                yield b'data: {"event_type":"step.del'
                return
            yield f"data: {data}\n\n".encode()
        if interaction.status in ENDED:
            yield _DONE
            return
        await changed.wait()
