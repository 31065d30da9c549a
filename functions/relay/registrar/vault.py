"""The registrar's use of the signing secret: store, check, enable and disable its versions."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

from relay.errors import SecretManagerError, VersionInactive, VersionMissing
from relay.gcp.secrets import SecretVersions
from relay.registrar.problems import VaultRefused


class Vault:
    """The versions of the signing secret, by number. Every method raises `VaultRefused`."""

    def __init__(self, versions: SecretVersions) -> None:
        self._versions = versions

    async def add(self, secret: str) -> int:
        """Store a secret and return its version's number.

        A retry may store it twice, which is harmless: both versions hold the secret that signs.
        """
        with _explained("store the signing secret"):
            return await self._versions.add(secret.encode())

    async def readable(self, number: int) -> bool:
        """Say whether a version can be read."""
        return await _usable("read the signing secret", self._versions.access(number))

    async def enable(self, number: int) -> bool:
        """Enable a version, and say whether it can be read now."""
        return await _usable("enable the signing secret", self._versions.enable(number))

    async def disable(self, number: int) -> None:
        """Disable a version; one that is missing or destroyed needs no more."""
        await _usable("disable an old signing secret", self._versions.disable(number))

    async def enabled(self) -> frozenset[int]:
        """Return the enabled versions as far as the list knows, which may lag by hours."""
        with _explained("list the signing secrets"):
            return frozenset(await self._versions.enabled())


async def _usable(what: str, call: Awaitable[object]) -> bool:
    """Await a call on one version, and say whether the version exists in a state for it."""
    with _explained(what):
        try:
            await call
        except (VersionMissing, VersionInactive):
            return False
        return True


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except SecretManagerError as error:
        raise VaultRefused(f"Secret Manager could not {what}: {error.status}.") from error
