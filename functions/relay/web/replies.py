"""Responses of the functions: quiet when nobody listens any more."""

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_UNFINISHED = "ASGI callable returned without completing response."


class Reply(Response):
    """A JSON response, which may be sent any number of times, at once too.

    Of several requests pipelined on a connection that is lost, uvicorn tells only the newest; for
    the others uvloop refuses the write with a `RuntimeError`, which the framework would log with
    its traceback for anybody who cares to provoke it.
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
        """Return a response whose body is `content`; raises `ValueError` if JSON has no such."""
        # In ASCII, since half a surrogate pair, which JSON can name, has no other encoding.
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        return cls(status, text.encode("ascii"), headers)

    async def __call__(self, _scope: "Scope", _receive: "Receive", send: "Send") -> None:
        """Send the response, if there still is a connection."""
        try:
            await send(self._start)
            await send(self._body)
        except RuntimeError:
            # Nobody is there to be told.
            return


def silence_disconnect_errors() -> None:
    """Keep uvicorn from logging an error for each response that `Reply` could not send."""
    logger = logging.getLogger("uvicorn.error")
    if _is_worth_a_line not in logger.filters:
        logger.addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return record.msg != _UNFINISHED
