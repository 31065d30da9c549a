"""Resource names of secrets and versions."""

import re
from dataclasses import dataclass

from localcloud.core.statuses import invalid, unimplemented

_PROJECT = re.compile(r"projects/([^/]+)")
_SECRET = re.compile(r"projects/([^/]+)/secrets/([^/]+)")
_VERSION = re.compile(r"projects/([^/]+)/secrets/([^/]+)/versions/([^/]+)")
_SECRET_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_VERSION_ID = re.compile(r"[1-9][0-9]{0,9}|latest")
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True)
class SecretName:
    """`projects/{project}/secrets/{secret}`."""

    project: str
    secret: str

    def __str__(self) -> str:
        return f"projects/{self.project}/secrets/{self.secret}"


def parse_project(name: str) -> str:
    """Return the project of `projects/P`."""
    return _match(_PROJECT, name)[1]


def parse_secret(name: str) -> SecretName:
    """Return the parts of `projects/P/secrets/S`."""
    found = _match(_SECRET, name)
    return SecretName(found[1], check_secret_id(found[2]))


def parse_version(name: str) -> tuple[SecretName, str]:
    """Return the secret and the version of `projects/P/secrets/S/versions/V`.

    The version is a number or `latest`; aliases are not imitated.
    """
    found = _match(_VERSION, name)
    if found[3] != "latest" and _ALIAS.fullmatch(found[3]):
        raise unimplemented("Secret Manager", f"the alias [{found[3]}] of a version")
    if not _VERSION_ID.fullmatch(found[3]):
        raise invalid(f"Version [{found[3]}] is no number.")
    return SecretName(found[1], check_secret_id(found[2])), found[3]


def check_secret_id(secret_id: str) -> str:
    """Return a valid secret id; refuse any other."""
    if not _SECRET_ID.fullmatch(secret_id):
        raise invalid(
            f"Secret id [{secret_id[:64]}] must be 1 to 255 letters, digits, '-' and '_'."
        )
    return secret_id


def _match(pattern: re.Pattern[str], name: str) -> re.Match[str]:
    found = pattern.fullmatch(name)
    if not found:
        raise invalid(
            f"The provided resource name [{name[:256]}] is malformed. Global secrets only are "
            "imitated: projects/*/secrets/*/versions/*."
        )
    return found
