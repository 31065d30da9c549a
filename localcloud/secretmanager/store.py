"""The secrets, by name, each with its versions."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from localcloud.core.clock import Clock
from localcloud.core.packed import packed, packed_bytes, unpacked
from localcloud.core.raw import timestamp
from localcloud.core.statuses import already_exists, failed_precondition, not_found
from localcloud.secretmanager.messages import Secret, SecretVersion
from localcloud.secretmanager.names import SecretName, parse_secret, parse_version
from localcloud.secretmanager.versions import ENABLED, Version


@dataclass
class Stored:
    """A secret and its versions, by number."""

    serial: int
    message: Secret
    versions: dict[int, Version] = field(default_factory=dict)


class Store:
    """Secrets by name. `project_number` gives the project that replies and keys are named with."""

    def __init__(self, clock: Clock, project_number: Callable[[str], str]) -> None:
        self._clock = clock
        self._project_number = project_number
        self._secrets: dict[SecretName, Stored] = {}
        self._serials = itertools.count(1)
        self._etags = itertools.count(0x1000)

    def now(self) -> int:
        """Return the time in microseconds."""
        return int(self._clock.time() * 1_000_000)

    def etag(self) -> str:
        """Return a new etag, quotes included."""
        return f'"{next(self._etags):x}"'

    def project(self, project: str) -> str:
        """Return a project as replies name it."""
        return self._project_number(project)

    def create(self, name: SecretName, secret: Secret) -> Secret:
        """Store a new secret; ALREADY_EXISTS if there is one of that name."""
        name = self._canonical(name)
        if name in self._secrets:
            raise already_exists(f"Secret [{name}] already exists.")
        message = Secret()
        message.CopyFrom(secret)
        message.name = str(name)
        message.create_time.CopyFrom(timestamp(self.now()))
        message.etag = self.etag()
        self._secrets[name] = Stored(next(self._serials), message)
        return message

    def secret(self, name: str) -> Stored:
        """Return a secret; NOT_FOUND if there is none."""
        parsed = self._canonical(parse_secret(name))
        if parsed not in self._secrets:
            raise not_found(f"Secret [{parsed}] not found.")
        return self._secrets[parsed]

    def delete(self, name: str, etag: str) -> None:
        """Delete a secret with its versions."""
        check_etag(etag, self.secret(name).message.etag)
        del self._secrets[self._canonical(parse_secret(name))]

    def secrets(self, project: str) -> Iterator[Stored]:
        """Yield the secrets of a project, newest first."""
        owner = self.project(project)
        for name in sorted(self._secrets, key=lambda name: -self._secrets[name].serial):
            if name.project == owner:
                yield self._secrets[name]

    def add(self, name: str, payload: bytes, *, checked: bool) -> SecretVersion:
        """Add an enabled version with the next number."""
        secret = self.secret(name)
        number = len(secret.versions) + 1
        message = SecretVersion(
            name=f"{secret.message.name}/versions/{number}",
            create_time=timestamp(self.now()),
            state=ENABLED,
            etag=self.etag(),
            client_specified_payload_checksum=checked,
        )
        _describe_replication(message, secret.message)
        secret.versions[number] = Version(number, message, payload)
        return message

    def version(self, name: str, lag: float) -> Version:
        """Return a version by number or `latest`; NOT_FOUND if there is none.

        `latest` is the one that was so `lag` seconds ago.
        """
        owner, wanted = parse_version(name)
        secret = self._secrets.get(self._canonical(owner))
        latest = 0 if secret is None else _latest(secret, self.now() - int(lag * 1_000_000))
        if secret is None or (wanted == "latest" and not latest):
            raise not_found(f"Secret [{self._canonical(owner)}] not found or has no versions.")
        number = latest if wanted == "latest" else int(wanted)
        if number not in secret.versions:
            raise not_found(f"Secret Version [{secret.message.name}/versions/{wanted}] not found.")
        return secret.versions[number]

    def dump(self) -> list[Any]:
        """Return the secrets as a JSON document, in the order of their creation.

        What lagging lists still show of earlier states is left out.
        """
        return [
            {
                "secret": packed(stored.message),
                "versions": [
                    [packed(version.message), packed_bytes(version.payload)]
                    for version in stored.versions.values()
                ],
            }
            for stored in sorted(self._secrets.values(), key=lambda each: each.serial)
        ]

    def restore(self, dumped: Iterable[Any]) -> None:
        """Take over the secrets that `dump` returned."""
        for each in dumped:
            message = Secret.FromString(unpacked(each["secret"]))
            versions = [
                Version(number, SecretVersion.FromString(unpacked(version)), unpacked(payload))
                for number, (version, payload) in enumerate(each["versions"], 1)
            ]
            stored = Stored(next(self._serials), message, {one.number: one for one in versions})
            self._secrets[parse_secret(message.name)] = stored
            etags = (each.message.etag for each in versions)
            newest = max(int(etag.strip('"'), 16) for etag in (message.etag, *etags))
            self._etags = itertools.count(max(next(self._etags), newest + 1))

    def _canonical(self, name: SecretName) -> SecretName:
        return SecretName(self.project(name.project), name.secret)


def check_etag(given: str, stored: str) -> None:
    """Refuse a change whose etag is not the current one; an empty etag means any.

    https://cloud.google.com/secret-manager/docs/etags
    """
    if given not in {"", stored}:
        raise failed_precondition(f"The etag {given} does not match the current etag {stored}.")


def _latest(secret: Stored, time: int) -> int:
    return max((each.number for each in secret.versions.values() if each.as_of(time)), default=0)


def _describe_replication(version: SecretVersion, secret: Secret) -> None:
    if secret.replication.HasField("user_managed"):
        for replica in secret.replication.user_managed.replicas:
            version.replication_status.user_managed.replicas.add(location=replica.location)
    else:
        version.replication_status.automatic.SetInParent()
