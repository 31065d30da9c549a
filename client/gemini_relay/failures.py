"""What the SDK and its transports raise, as facts that hold no secret; and those as our errors.

The SDK has two trees of HTTP errors (`google.genai.errors.APIError` with `code`, and that of the
interactions with `status_code`), and lets through what httpx2, aiohttp, pydantic and json raise.
An `APIError` with a status below 400 is a reply that it could not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemini_relay.errors import JobsError, NotFound, Refused, Unavailable

METHOD_NOT_FOUND = "METHOD_NOT_FOUND"
REFUSED_BY_SDK = "INVALID_REQUEST"

_LONGEST = 500
_OVERLOADED = 429
_WORDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}


@dataclass(frozen=True)
class Failure:
    """One call that failed. `status` is None where there was no usable reply."""

    status: int | None
    code: str
    message: str

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed later."""
        status = self.status
        return status is None or status >= 500 or status in {408, _OVERLOADED}

    @property
    def unknown(self) -> bool:
        """Whether the call may have had its effect: no reply, 5xx, or 408."""
        return self.transient and self.status != _OVERLOADED

    def error(self, what: str) -> JobsError:
        """Return it as the error to raise; `what` names the call."""
        said = f"{what}: Gemini answered {self.status}" if self.status else f"{what} failed"
        text = f"{said} {self.code}: {self.message}"
        if self.transient:
            return Unavailable(text, self.status)
        if self.status == 404 and self.code != METHOD_NOT_FOUND:
            return NotFound(text)
        return Refused(self.status or 0, self.code, text)


class Answered(Exception):
    """A reply of a raw call with an error's status: the counterpart of the SDK's errors."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


def failure_of(error: Exception, api_key: str, *, sent: bool = True) -> Failure:
    """Read what a call raised; `sent` tells whether a request had left when it did."""
    if isinstance(error, Answered):
        return _answered(error.status, error.body, api_key)
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    if isinstance(status, int) and status >= 400:
        body = getattr(error, "body", None) or getattr(error, "details", None)
        return _answered(status, body, api_key)
    name = type(error).__name__
    if not sent and isinstance(error, ValueError | TypeError | AttributeError | KeyError):
        return Failure(400, REFUSED_BY_SDK, redacted(_mistake(error), api_key))
    return Failure(None, name, "no usable answer")


def redacted(text: str, api_key: str) -> str:
    """Return one line of at most 500 characters without the API key."""
    shown = text.replace(api_key, "…") if api_key else text
    return " ".join(shown.split())[:_LONGEST]


def _answered(status: int, body: object, api_key: str) -> Failure:
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    described = body.get("error", body) if isinstance(body, Mapping) else None
    found: Mapping[str, Any] = described if isinstance(described, Mapping) else {}
    message = str(found.get("message") or "without a reason")
    code = str(found.get("status") or _WORDS.get(status, f"HTTP_{status}"))
    if status == 404 and "method not found" in message.lower():
        code = METHOD_NOT_FOUND
    return Failure(status, code, redacted(message, api_key))


def _mistake(error: Exception) -> str:
    describe = getattr(error, "errors", None)
    if not callable(describe):
        return str(error)
    # pydantic's, without the values, which may hold the prompt.
    problems = describe(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems[:5])
