"""The functions' responses, which may be sent after the client is gone."""

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_UNFINISHED = "ASGI callable returned without completing response."


class Reply(Response):
    """A JSON response, which may be sent any number of times, also concurrently.

    If a connection with several pipelined requests is lost, uvicorn tells only the newest. For the
    others uvloop raises `RuntimeError` on the write, which the framework would log with its
    traceback: any client could fill the log.
    """

    media_type = "application/json"

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body, status, headers)
        self._start = {
            "type": "http.response.start",
            "status": status,
            "headers": self.raw_headers,
        }
        self._body = {"type": "http.response.body", "body": body}

    @classmethod
    def json(
        cls, status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> "Reply":
        """Return a response whose body is `content`; raises `ValueError` if JSON cannot hold it."""
        # In ASCII: JSON can hold half a surrogate pair, which has no other encoding.
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        return cls(status, text.encode("ascii"), headers)

    async def __call__(self, _scope: "Scope", _receive: "Receive", send: "Send") -> None:
        """Send the response, if the connection is still open."""
        try:
            await send(self._start)
            await send(self._body)
        except RuntimeError:
            # The client is gone.
            return


def silence_disconnect_errors() -> None:
    """Keep uvicorn from logging an error for each response that `Reply` could not send."""
    logger = logging.getLogger("uvicorn.error")
    if _is_worth_a_line not in logger.filters:
        logger.addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return record.msg != _UNFINISHED
