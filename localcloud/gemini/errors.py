"""Errors in the form in which Google's APIs answer them.

https://cloud.google.com/apis/design/errors#http_mapping
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GoogleError(Exception):
    """Ends a request with an HTTP status and Google's error body.

    `status` names the canonical code where the HTTP status leaves more than one.
    """

    def __init__(self, code: int, message: str, status: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or _STATUSES.get(code, "UNKNOWN")

    def body(self) -> dict[str, object]:
        """Return `{"error": {"code", "message", "status"}}`."""
        return {"error": {"code": self.code, "message": self.message, "status": self.status}}


def not_found(what: str, name: str) -> GoogleError:
    """Return the 404 for a resource that does not exist, or no longer does."""
    return GoogleError(404, f"{what} {name!r} was not found.")


async def answer_error(_request: Request, error: Exception) -> Response:
    """Turn a `GoogleError` into its response."""
    if not isinstance(error, GoogleError):
        raise error
    return JSONResponse(error.body(), status_code=error.code)
