"""One secret in Secret Manager, over its own client. Loaded only where `SIGNING_SECRET` is set."""

from collections.abc import Sequence

from google.api_core import exceptions
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)

from relay.gcp.channels import OpenChannel
from relay.keys.signing_secret import VersionInactive, VersionMissing

HOST = "secretmanager.googleapis.com"

_TIMEOUT = 1.0
_MOST_LISTED = 100


class SecretVersions:
    """The versions of `secret`, `projects/…/secrets/…`; implements `signing_secret.Versions`.

    Every call has a timeout of a second and is made once: when to try again is the cache's affair.
    """

    def __init__(self, secret: str, open_channel: OpenChannel) -> None:
        self._secret = secret
        self._open_channel = open_channel
        self._client: SecretManagerServiceAsyncClient | None = None

    async def enabled(self) -> Sequence[int]:
        """Return the numbers of the enabled versions, as far as the list knows them."""
        client = await self._connected()
        request = {"parent": self._secret, "filter": "state:ENABLED", "page_size": _MOST_LISTED}
        versions = await client.list_secret_versions(request, retry=None, timeout=_TIMEOUT)
        page = next(iter([page async for page in versions.pages]))
        return [_number(version.name) for version in page.versions]

    async def access(self, number: int | None) -> tuple[int, bytes]:
        """Return the number and payload of a version (None: the latest).

        Raises `VersionMissing`, `VersionInactive`, or the client's own errors.
        """
        client = await self._connected()
        name = f"{self._secret}/versions/{number or 'latest'}"
        try:
            version = await client.access_secret_version(
                {"name": name}, retry=None, timeout=_TIMEOUT
            )
        except exceptions.NotFound:
            raise VersionMissing(name) from None
        except exceptions.FailedPrecondition:
            raise VersionInactive(name) from None
        return _number(version.name), version.payload.data

    async def _connected(self) -> SecretManagerServiceAsyncClient:
        if self._client is None:
            transport = SecretManagerServiceGrpcAsyncIOTransport(channel=await self._open_channel())
            self._client = SecretManagerServiceAsyncClient(transport=transport)
        return self._client


def _number(name: str) -> int:
    return int(name.rpartition("/")[2])
