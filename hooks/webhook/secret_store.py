"""Where `hooks webhook` stores a signing secret, which Gemini shows once and hooks never prints."""

import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from hooks.errors import HooksError, UsageError
from relay.environment import Environment
from relay.errors import ConfigurationError, SecretManagerError, VersionInactive, VersionMissing
from relay.gcp.channels import opener
from relay.gcp.secrets import HOST, SecretVersions

_SECONDS = 10.0
_MOST_IN_A_FILE = 3

Answer = TypeVar("Answer")


class SecretNotStored(HooksError):
    """The secret store cannot be read or written."""


class SecretNotRevoked(HooksError):
    """The secret is stored, but earlier ones could not be taken away from the receiver."""


class SecretStore(Protocol):
    """A place for signing secrets. Every method raises `SecretNotStored`."""

    @property
    def option(self) -> tuple[str, str]:
        """The option that names this place on the command line, and its value."""
        ...

    async def prepare(self) -> None:
        """Check that a secret can be stored, before Gemini is asked for one."""
        ...

    async def holds(self, since: datetime | None) -> bool:
        """Say whether a secret is stored that may date from `since` or later."""
        ...

    async def store(self, secret: str, *, alone: bool) -> str:
        """Store a secret as the newest (`alone`: the others are revoked), and say where it is.

        Raises `SecretNotRevoked` where it is stored, and others are still accepted.
        """
        ...


def open_secret_store(
    signing_secret: str, secret_file: Path | None, environ: Mapping[str, str]
) -> SecretStore | None:
    """Return the store that the options name, None without one; raises `UsageError`."""
    if secret_file is not None:
        return FileStore(secret_file)
    if not signing_secret:
        return None
    try:
        path = Environment({"SIGNING_SECRET": signing_secret}).secret("SIGNING_SECRET")
    except ConfigurationError as error:
        raise UsageError(
            f"{signing_secret!r} {error.problem}: correct it, or name a file with --secret-file."
        ) from None
    return SecretManagerStore(path, environ.get("SECRET_MANAGER_EMULATOR_HOST", ""))


class FileStore:
    """A file that only its owner may read: one secret a line, newest first, at most three.

    `WEBHOOK_SIGNING_SECRET` takes a value of this form.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def option(self) -> tuple[str, str]:
        """The option that names the file."""
        return "--secret-file", str(self._path)

    async def prepare(self) -> None:
        """Create the file, or check that it can be written."""
        self._write(self._lines())

    async def holds(self, since: datetime | None) -> bool:
        """Say whether the file holds a secret; it does not record when it was stored."""
        del since
        return bool(self._lines())

    async def store(self, secret: str, *, alone: bool) -> str:
        """Put a secret on the first line."""
        self._write([secret, *([] if alone else self._lines())][:_MOST_IN_A_FILE])
        return str(self._path)

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="ascii").split()
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise self._failed(error) from None

    def _write(self, lines: list[str]) -> None:
        # Written beside the file, then renamed: never half written, never readable by others.
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.writelines(f"{line}\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> SecretNotStored:
        reason = getattr(error, "strerror", None) or "it holds no signing secrets"
        return SecretNotStored(f"{self._path} cannot store the signing secret: {reason}.")


class SecretManagerStore:
    """A secret in Secret Manager, at `emulator` (`host:port`) if that is set."""

    def __init__(self, secret: str, emulator: str) -> None:
        self._secret = secret
        self._emulator = emulator
        self._enabled: frozenset[int] = frozenset()

    @property
    def option(self) -> tuple[str, str]:
        """The option that names the secret."""
        return "--signing-secret", self._secret

    async def prepare(self) -> None:
        """Check that the secret exists and can be listed."""
        self._enabled = frozenset(await self._call(SecretVersions.enabled))

    async def holds(self, since: datetime | None) -> bool:
        """Say whether an enabled version was created at or after `since`."""
        enabled = await self._call(SecretVersions.enabled)
        return any(since is None or created >= since for created in enabled.values())

    async def store(self, secret: str, *, alone: bool) -> str:
        """Add a version. Those before it are disabled if `alone`, else left for the receiver."""
        number = await self._call(lambda versions: versions.add(secret.encode()))
        if alone:
            await self._disable_before(number)
        return f"{self._secret}/versions/{number}"

    async def _disable_before(self, number: int) -> None:
        # The list lags: versions after the newest listed one may be enabled too.
        between = range(max(self._enabled, default=0) + 1, number)
        older = sorted({*self._enabled, *between})
        versions = self._versions()
        try:
            while older:
                # One that is missing or destroyed needs no more.
                with contextlib.suppress(VersionMissing, VersionInactive):
                    await versions.disable(older[-1])
                older.pop()
        except SecretManagerError as error:
            raise self._not_revoked(number, older, error) from None
        finally:
            await versions.close()

    def _not_revoked(
        self, number: int, older: Sequence[int], error: SecretManagerError
    ) -> SecretNotRevoked:
        _, project, _, name = self._secret.split("/")
        commands = " && ".join(
            f"gcloud secrets versions disable {each} --secret={name} --project={project}"
            for each in older
        )
        return SecretNotRevoked(
            f"The new signing secret is stored as {self._secret}/versions/{number}, but the"
            " receiver still accepts earlier ones: Secret Manager did not disable them"
            f" ({error.status}). With roles/secretmanager.secretVersionManager on it, run"
            f" `{commands}`."
        )

    def _versions(self) -> SecretVersions:
        return SecretVersions(self._secret, opener(HOST, self._emulator), timeout=_SECONDS)

    async def _call(self, ask: Callable[[SecretVersions], Awaitable[Answer]]) -> Answer:
        versions = self._versions()
        try:
            return await ask(versions)
        except SecretManagerError as error:
            raise SecretNotStored(
                f"Secret Manager cannot store the signing secret in {self._secret}: {error.status}."
                " Check that it exists, and that you may list and add its versions (gcloud auth"
                " application-default login)."
            ) from None
        finally:
            await versions.close()
