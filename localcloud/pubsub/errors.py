"""The service's refusals, in its own words."""

import grpc

from localcloud.core.rpc import RpcError


def invalid(message: str) -> RpcError:
    """Return the refusal of a malformed request."""
    return RpcError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(name: str) -> RpcError:
    """Return the refusal of a request for a topic or subscription that does not exist."""
    short = name.rpartition("/")[2]
    return RpcError(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={short}).")


def already_exists(name: str) -> RpcError:
    """Return the refusal to create what exists."""
    short = name.rpartition("/")[2]
    return RpcError(
        grpc.StatusCode.ALREADY_EXISTS,
        f"Resource already exists in the project (resource={short}).",
    )


def failed_precondition(message: str) -> RpcError:
    """Return the refusal of what the present state does not allow."""
    return RpcError(grpc.StatusCode.FAILED_PRECONDITION, message)


def not_imitated(what: str) -> RpcError:
    """Return the refusal of what the real service does and this one does not."""
    return RpcError(grpc.StatusCode.UNIMPLEMENTED, f"The embedded Pub/Sub does not imitate {what}.")
