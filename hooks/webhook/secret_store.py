"""Where a signing secret goes that Gemini shows once: into Secret Manager, or a file of one's own.

It is never printed.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

import grpc
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud.secretmanager_v1 import SecretManagerServiceClient, SecretVersion
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from hooks.errors import HooksError, UsageError

_SECRET = re.compile(r"projects/[^/]+/secrets/[A-Za-z0-9_-]{1,255}")
_SECONDS = 10.0
_MOST_IN_A_FILE = 3

Answer = TypeVar("Answer")


class NotKept(HooksError):
    """The place for the secret cannot be read or written."""


class Keeper(Protocol):
    """A place for signing secrets. Every method raises `NotKept`."""

    def prepare(self) -> None:
        """Find out that a secret can be kept, before one is asked for."""
        ...

    def holds(self, since: datetime | None) -> bool:
        """Say whether a secret is kept that was stored after `since`."""
        ...

    def keep(self, secret: str, *, alone: bool) -> str:
        """Keep a secret as the newest (`alone`: the others are revoked), and say where it is."""
        ...


def keeper(
    signing_secret: str, secret_file: Path | None, environ: Mapping[str, str]
) -> Keeper | None:
    """Return the place that the options name, None for none; raises `UsageError`."""
    if secret_file is not None:
        return FileKeeper(secret_file)
    if not signing_secret:
        return None
    if not _SECRET.fullmatch(signing_secret):
        raise UsageError(
            f"{signing_secret!r} is no secret: write projects/PROJECT/secrets/NAME, or name a file"
            " with --secret-file."
        )
    return SecretManagerKeeper(signing_secret, environ.get("SECRET_MANAGER_EMULATOR_HOST", ""))


class FileKeeper:
    """A file that only its owner may read: one secret a line, the newest first, three at most.

    This is the form that `WEBHOOK_SIGNING_SECRET` takes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        """Make the file, or see that it can be written."""
        self._write(self._lines())

    def holds(self, since: datetime | None) -> bool:
        """Say whether there is a secret; of its age a file knows nothing."""
        del since
        return bool(self._lines())

    def keep(self, secret: str, *, alone: bool) -> str:
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
        # Beside the file and then in its place: it is never half written, nor readable by others.
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

    def _failed(self, error: Exception) -> NotKept:
        reason = getattr(error, "strerror", None) or "it holds no signing secrets"
        return NotKept(f"{self._path} cannot keep the signing secret: {reason}.")


class SecretManagerKeeper:
    """A secret in Secret Manager, at `emulator` (`host:port`) if there is one."""

    def __init__(self, secret: str, emulator: str) -> None:
        self._secret = secret
        self._emulator = emulator

    def prepare(self) -> None:
        """See that the secret is there and can be listed."""
        self._versions()

    def holds(self, since: datetime | None) -> bool:
        """Say whether an enabled version is as new as that."""
        enabled = [each for each in self._versions() if each.state == SecretVersion.State.ENABLED]
        return any(since is None or each.create_time >= since for each in enabled)

    def keep(self, secret: str, *, alone: bool) -> str:
        """Add a version. Those before it are left for the receiver, which tries the newest."""
        del alone
        request = {"parent": self._secret, "payload": {"data": secret.encode()}}
        return self._call(lambda client: client.add_secret_version(request, timeout=_SECONDS).name)

    def _versions(self) -> Sequence[SecretVersion]:
        # Newest first, so that the first page is all that matters.
        request = {"parent": self._secret, "page_size": 100}
        return self._call(
            lambda client: (
                next(iter(client.list_secret_versions(request, timeout=_SECONDS).pages)).versions
            )
        )

    def _call(self, ask: Callable[[SecretManagerServiceClient], Answer]) -> Answer:
        try:
            with _client(self._emulator) as client:
                return ask(client)
        except (GoogleAPIError, GoogleAuthError) as error:
            reason = self._reason(error)
        raise NotKept(reason)

    def _reason(self, error: Exception) -> str:
        code = getattr(error, "grpc_status_code", None)
        status = code.name if code is not None else type(error).__name__
        return (
            f"Secret Manager cannot keep the signing secret in {self._secret}: {status}. See that"
            " it exists, and that you may list and add its versions (gcloud auth"
            " application-default login)."
        )


def _client(emulator: str) -> SecretManagerServiceClient:
    if not emulator:
        return SecretManagerServiceClient()
    channel = grpc.insecure_channel(emulator)
    return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
