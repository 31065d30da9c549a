"""Errors as Google's REST APIs word them.

https://cloud.google.com/apis/design/errors
"""

from collections.abc import Sequence

from localcloud.core.rpc import RpcError
from localcloud.core.statuses import HTTP


class ApiError(Exception):
    """Ends a call with a canonical code such as `NOT_FOUND`, and Google's JSON around it."""

    def __init__(self, code: str, message: str, details: Sequence[dict[str, object]] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = tuple(details)

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return HTTP[self.code]

    def body(self) -> dict[str, object]:
        """Return the reply's JSON."""
        error: dict[str, object] = {
            "code": self.status,
            "message": self.message,
            "status": self.code,
        }
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}


def from_rpc(error: RpcError) -> ApiError:
    """Return what the REST form of a gRPC API answers for `error`."""
    return ApiError(error.code.name, error.message)


def invalid(message: str) -> ApiError:
    """Return a refusal of a request that is wrong in itself."""
    return ApiError("INVALID_ARGUMENT", message)


def not_found(name: str) -> ApiError:
    """Return the refusal of a call on a resource that does not exist."""
    return ApiError("NOT_FOUND", f"Resource '{name}' was not found")


def already_exists(name: str) -> ApiError:
    """Return the refusal to create a resource twice."""
    return ApiError("ALREADY_EXISTS", f"Resource '{name}' already exists")


def denied(permission: str, resource: str) -> ApiError:
    """Return the refusal of a caller that lacks `permission` on `resource`."""
    return ApiError(
        "PERMISSION_DENIED",
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
    )


def service_disabled(service: str, project: str) -> ApiError:
    """Return the refusal of a call to an API that the project has not enabled."""
    return ApiError(
        "PERMISSION_DENIED",
        f"{service} has not been used in project {project} before or it is disabled. Enable it by "
        f"visiting https://console.developers.google.com/apis/api/{service}/overview?"
        f"project={project} then retry. If you enabled this API recently, wait a few minutes for "
        "the action to propagate to our systems and retry.",
        [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "SERVICE_DISABLED",
                "domain": "googleapis.com",
                "metadata": {"service": service, "consumer": f"projects/{project}"},
            }
        ],
    )
