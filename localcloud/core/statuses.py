"""The statuses that a service ends a call with, as gRPC and as HTTP have them."""

import grpc

from localcloud.core.rpc import RpcError

HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The HTTP status of each code: https://cloud.google.com/apis/design/errors#handling_errors"""


def invalid(message: str) -> RpcError:
    """Refuse a request that can never succeed."""
    return RpcError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> RpcError:
    """Refuse a request for something that does not exist."""
    return RpcError(grpc.StatusCode.NOT_FOUND, message)


def already_exists(message: str) -> RpcError:
    """Refuse to create something that exists."""
    return RpcError(grpc.StatusCode.ALREADY_EXISTS, message)


def failed_precondition(message: str) -> RpcError:
    """Refuse a request that the present state does not allow."""
    return RpcError(grpc.StatusCode.FAILED_PRECONDITION, message)


def unimplemented(service: str, what: str) -> RpcError:
    """Refuse a feature of the service that its emulator does not have."""
    message = f"the embedded {service} does not imitate {what}"
    return RpcError(grpc.StatusCode.UNIMPLEMENTED, message)
