"""Errors in the form in which Google's APIs answer them.

https://cloud.google.com/apis/design/errors#http_mapping
"""

from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    410: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_DOMAIN = "googleapis.com"
_WORDS = {"INVALID_ARGUMENT": "invalid_request"}

Form = Literal["google", "interactions", "list"]


class GoogleError(Exception):
    """Ends a request with an HTTP status and Google's error body.

    `status` names the canonical code where the HTTP status leaves more than one, `reason` what an
    `ErrorInfo` adds. `form` is how the body says it: as most services do, as Interactions does, or
    in a list, as the front end answers calls that no service knows.
    """

    def __init__(
        self, code: int, message: str, status: str = "", *, reason: str = "", form: Form = "google"
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or _STATUSES.get(code, "UNKNOWN")
        self.reason = reason
        self.form = form

    def body(self) -> object:
        """Return the JSON of the reply."""
        if self.form == "interactions":
            word = _WORDS.get(self.status, self.status.lower())
            return {"error": {"message": self.message, "code": word}}
        error: dict[str, object] = {
            "code": self.code,
            "message": self.message,
            "status": self.status,
        }
        if self.reason:
            error["details"] = [{"@type": _ERROR_INFO, "reason": self.reason, "domain": _DOMAIN}]
        return [{"error": error}] if self.form == "list" else {"error": error}


def not_found(what: str, name: str) -> GoogleError:
    """Return the 404 for a resource that does not exist, or no longer does."""
    return GoogleError(404, f"{what} {name!r} was not found.")


async def answer_error(_request: Request, error: Exception) -> Response:
    """Turn a `GoogleError` into its response."""
    if not isinstance(error, GoogleError):
        raise error
    return JSONResponse(error.body(), status_code=error.code)
