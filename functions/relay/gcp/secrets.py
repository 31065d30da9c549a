"""One secret in Secret Manager. The client's import is slow: import this only where it is used."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import google_crc32c
import grpc.aio
from google.api_core import exceptions
from google.api_core.retry import AsyncRetry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)

from relay.errors import SecretManagerError, Unavailable, VersionInactive, VersionMissing
from relay.gcp.channels import Connection, OpenChannel

HOST = "secretmanager.googleapis.com"

_MOST_LISTED = 1000

Reply = TypeVar("Reply")


class SecretVersions:
    """The versions of `secret`, `projects/…/secrets/…`, each known by its number.

    Every method raises `VersionMissing`, `VersionInactive` or another `SecretManagerError`. Each
    takes at most `timeout` seconds, and retries an outage within them if `retry`.

    It may be built before the server forks, and then belongs to one event loop.
    """

    def __init__(
        self, secret: str, open_channel: OpenChannel, *, timeout: float = 1.0, retry: bool = False
    ) -> None:
        self._secret = secret
        self._connection = Connection(open_channel, _client)
        self._timeout = timeout
        self._retry = _retry(timeout) if retry else None

    async def enabled(self) -> Mapping[int, datetime]:
        """Return when each enabled version was created, as far as the list knows.

        Secret Manager's lists may lag by hours. Of more than a thousand, the newest are returned.
        """
        request = {"parent": self._secret, "filter": "state:ENABLED", "page_size": _MOST_LISTED}
        listed = await self._call(SecretManagerServiceAsyncClient.list_secret_versions, request)
        # The first page alone, which has arrived already.
        page = await anext(aiter(listed.pages))
        return {_number(version.name): version.create_time for version in page.versions}

    async def access(self, number: int | None) -> tuple[int, bytes]:
        """Return the number and payload of a version (None: the latest)."""
        request = {"name": self._version(number or "latest")}
        version = await self._call(SecretManagerServiceAsyncClient.access_secret_version, request)
        return _number(version.name), version.payload.data

    async def add(self, data: bytes) -> int:
        """Store `data` as a new version and return its number.

        A retry may store it twice, as two versions.
        """
        payload = {"data": data, "data_crc32c": google_crc32c.value(data)}
        request = {"parent": self._secret, "payload": payload}
        version = await self._call(SecretManagerServiceAsyncClient.add_secret_version, request)
        return _number(version.name)

    async def enable(self, number: int) -> None:
        """Enable a version."""
        request = {"name": self._version(number)}
        await self._call(SecretManagerServiceAsyncClient.enable_secret_version, request)

    async def disable(self, number: int) -> None:
        """Disable a version."""
        request = {"name": self._version(number)}
        await self._call(SecretManagerServiceAsyncClient.disable_secret_version, request)

    async def close(self) -> None:
        """Close the channel; calls in flight fail."""
        await self._connection.close()

    def _version(self, number: int | str) -> str:
        return f"{self._secret}/versions/{number}"

    async def _call(
        self, method: Callable[..., Awaitable[Reply]], request: Mapping[str, Any]
    ) -> Reply:
        try:
            client = await self._connection.client()
            return await method(client, request, retry=self._retry, timeout=self._timeout)
        except exceptions.NotFound as error:
            refusal: SecretManagerError = VersionMissing(_status(error))
        except exceptions.FailedPrecondition as error:
            refusal = VersionInactive(_status(error))
        except Unavailable as error:
            refusal = SecretManagerError(error.reason)
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            refusal = SecretManagerError(_status(error))
        # Outside the handlers, so that the client's error, which holds the request, is no context.
        raise refusal


def _client(channel: grpc.aio.Channel) -> SecretManagerServiceAsyncClient:
    transport = SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
    return SecretManagerServiceAsyncClient(transport=transport)


def _retry(timeout: float) -> AsyncRetry:
    return AsyncRetry(
        predicate=if_exception_type(exceptions.ServiceUnavailable),
        initial=0.2,
        maximum=1.0,
        timeout=timeout,
    )


def _status(error: Exception) -> str:
    code = getattr(error, "grpc_status_code", None)
    return str(code.name if code is not None else type(error).__name__)


def _number(name: str) -> int:
    return int(name.rpartition("/")[2])
