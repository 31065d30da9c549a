"""The signing secret in Secret Manager: stored, looked after, disabled once it is out of use."""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

import google_crc32c
from google.api_core import exceptions
from google.api_core.retry import AsyncRetry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)

from relay.errors import Unavailable
from relay.gcp.channels import OpenChannel
from relay.registrar.problems import VaultRefused

HOST = "secretmanager.googleapis.com"

_CALL_SECONDS = 5.0
_MOST_LISTED = 1000
# Adding twice does no harm: both versions hold the secret that signs.
_RETRY = AsyncRetry(
    predicate=if_exception_type(exceptions.ServiceUnavailable),
    initial=0.2,
    maximum=1.0,
    timeout=_CALL_SECONDS,
)

Reply = TypeVar("Reply")


class Vault(Protocol):
    """Versions of the signing secret, by number. Every method raises `VaultRefused`."""

    async def add(self, secret: str) -> int:
        """Store a secret and return its version's number."""
        ...

    async def readable(self, number: int) -> bool:
        """Say whether a version can be read."""
        ...

    async def enable(self, number: int) -> bool:
        """Enable a version, and say whether it can be read now."""
        ...

    async def disable(self, number: int) -> None:
        """Disable a version; one that is gone is as good."""
        ...

    async def enabled(self) -> frozenset[int]:
        """Return the enabled versions as far as the list knows them: it may be hours behind."""
        ...


class SecretManagerVault:
    """The versions of `secret`, `projects/…/secrets/…`, in Secret Manager."""

    def __init__(self, secret: str, open_channel: OpenChannel) -> None:
        self._secret = secret
        self._open_channel = open_channel
        self._client: SecretManagerServiceAsyncClient | None = None

    async def add(self, secret: str) -> int:
        """Store a secret and return its version's number."""
        data = secret.encode()
        payload = {"data": data, "data_crc32c": google_crc32c.value(data)}
        client = await self._connected()
        request = {"parent": self._secret, "payload": payload}
        call = client.add_secret_version(request, retry=_RETRY, timeout=_CALL_SECONDS)
        return _number((await self._answer("store the signing secret", call)).name)

    async def readable(self, number: int) -> bool:
        """Say whether a version can be read."""
        client = await self._connected()
        request = {"name": self._version(number)}
        call = client.access_secret_version(request, retry=_RETRY, timeout=_CALL_SECONDS)
        try:
            await self._answer("read the signing secret", call)
        except _Absent:
            return False
        return True

    async def enable(self, number: int) -> bool:
        """Enable a version, and say whether it can be read now."""
        client = await self._connected()
        request = {"name": self._version(number)}
        call = client.enable_secret_version(request, retry=_RETRY, timeout=_CALL_SECONDS)
        try:
            await self._answer("enable the signing secret", call)
        except _Absent:
            return False
        return True

    async def disable(self, number: int) -> None:
        """Disable a version; one that is gone is as good."""
        client = await self._connected()
        request = {"name": self._version(number)}
        call = client.disable_secret_version(request, retry=_RETRY, timeout=_CALL_SECONDS)
        try:
            await self._answer("disable an old signing secret", call)
        except _Absent:
            return

    async def enabled(self) -> frozenset[int]:
        """Return the enabled versions as far as the list knows them: it may be hours behind."""
        client = await self._connected()
        request = {"parent": self._secret, "filter": "state:ENABLED", "page_size": _MOST_LISTED}
        call = client.list_secret_versions(request, retry=_RETRY, timeout=_CALL_SECONDS)
        listed = await self._answer("list the signing secrets", call)
        # The first page holds the newest thousand; more than that are never in use.
        page = await anext(aiter(listed.pages))
        return frozenset(_number(version.name) for version in page.versions)

    async def _connected(self) -> SecretManagerServiceAsyncClient:
        if self._client is None:
            try:
                channel = await self._open_channel()
            except Unavailable as error:
                raise VaultRefused(f"No access to Secret Manager: {error.reason}.") from None
            transport = SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
            self._client = SecretManagerServiceAsyncClient(transport=transport)
        return self._client

    async def _answer(self, what: str, call: Awaitable[Reply]) -> Reply:
        try:
            return await call
        except (exceptions.NotFound, exceptions.FailedPrecondition) as error:
            # NOT_FOUND also of the secret itself, which no version then can be added to.
            refusal: VaultRefused = _Absent(f"Secret Manager could not {what}: {_status(error)}.")
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            refusal = VaultRefused(f"Secret Manager could not {what}: {_status(error)}.")
        # Out of the except block, so that the client's error, with its request, is no context.
        raise refusal

    def _version(self, number: int) -> str:
        return f"{self._secret}/versions/{number}"


class _Absent(VaultRefused):
    """There is no such version, or not one in a state for that."""


def _status(error: Exception) -> str:
    code = getattr(error, "grpc_status_code", None)
    return str(code.name if code is not None else type(error).__name__)


def _number(name: str) -> int:
    return int(name.rpartition("/")[2])
