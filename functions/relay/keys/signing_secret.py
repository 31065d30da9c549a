"""The signing secret's active versions, read from Secret Manager.

Its lists are only eventually consistent, while a version is readable by its number at once: so
the list is a hint, and the numbers after the newest one known are simply tried.

https://cloud.google.com/secret-manager/docs/access-secret-version#consistency
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Protocol

from relay.errors import VersionInactive, VersionMissing
from relay.keys.cache import Loaded, LoadFailed, Pace
from relay.keys.secret import parse_secret
from relay.log import log

SECRET_PACE = Pace(stale=3600.0, between_forced=10.0)
"""In an outage of Secret Manager, keys serve on for an hour past their lifetime."""

MAX_SECRETS = 3
LIFETIME = 300.0

_LIST_TIMEOUT = 0.7
_PROBES = 5
# How many versions are tried for up to three that are active: the list may be hours behind.
_CANDIDATES = 10


class Versions(Protocol):
    """What the loader needs of `relay.gcp.secrets.SecretVersions`, which is slow to import.

    Errors other than `VersionMissing` and `VersionInactive` mean an outage.
    """

    async def enabled(self) -> Collection[int]:
        """Return the numbers of the enabled versions, as far as the list knows."""
        ...

    async def access(self, number: int | None) -> tuple[int, bytes]:
        """Return the number and payload of a version (None: the latest)."""
        ...


class SigningSecretLoader:
    """Loads the newest active keys, at most three, newest first; none if no version is active.

    What it has found before is tried again even if the list fails or has fallen behind. An error
    on reading a version fails the whole load, since half a set would refuse what the other half
    signed; of the keys found before, those serve on whose versions were not seen to be inactive.
    """

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._found: dict[int, bytes] = {}
        """The keys of the last load by their versions' numbers, the newest first."""

    async def __call__(self) -> Loaded[tuple[bytes, ...]]:
        """Load once; raises `LoadFailed` in an outage."""
        try:
            self._found = await self._newest()
        except (Exception, asyncio.CancelledError) as error:
            # Cancelled: the load's time is over.
            raise LoadFailed(tuple(self._found.values())) from error
        return Loaded(tuple(self._found.values()), LIFETIME)

    async def _newest(self) -> dict[int, bytes]:
        numbers = await self._numbers()
        keys = await self._later(max(numbers, default=0))
        keys |= await self._read(sorted(numbers, reverse=True), MAX_SECRETS - len(keys))
        return {number: keys[number] for number in sorted(keys, reverse=True)[:MAX_SECRETS]}

    async def _numbers(self) -> set[int]:
        numbers = set(self._found)
        try:
            async with asyncio.timeout(_LIST_TIMEOUT):
                numbers |= set(await self._versions.enabled())
        except Exception as error:  # noqa: BLE001 - whatever the reason, the numbers lead on
            log("WARNING", "secret versions not listed", error=type(error).__name__)
        return numbers or await self._latest()

    async def _latest(self) -> set[int]:
        try:
            latest, _ = await self._versions.access(None)
        except (VersionMissing, VersionInactive):
            return set()
        return set(range(max(1, latest - _CANDIDATES + 1), latest + 1))

    async def _later(self, newest: int) -> dict[int, bytes]:
        keys: dict[int, bytes] = {}
        for number in range(newest + 1, newest + 1 + _PROBES):
            try:
                keys |= await self._key(number)
            except VersionMissing:
                break
        return keys

    async def _read(self, numbers: Iterable[int], wanted: int) -> dict[int, bytes]:
        keys: dict[int, bytes] = {}
        for number in list(numbers)[:_CANDIDATES]:
            if len(keys) >= wanted:
                break
            try:
                keys |= await self._key(number)
            except VersionMissing:
                continue
        return keys

    async def _key(self, number: int) -> dict[int, bytes]:
        try:
            _, payload = await self._versions.access(number)
        except VersionInactive:
            # At once: this counts even if the load fails later.
            self._found.pop(number, None)
            return {}
        try:
            return {number: parse_secret(payload.decode("ascii").strip())}
        except ValueError:
            log("ERROR", "secret version holds no signing secret", version=number)
            return {}
