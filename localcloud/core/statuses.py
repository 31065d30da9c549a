"""The statuses that a service ends a call with."""

import grpc

from localcloud.core.rpc import RpcError


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
