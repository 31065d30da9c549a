"""Typed look-up in a function's environment, with failures that say what to do."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from relay.errors import ConfigurationError

EXAMPLE_SECRET_PATH = "projects/my-project/secrets/gemini-webhooks-signing-secret"  # noqa: S105

_TOPIC_PATH = re.compile(r"projects/[^/]+/topics/[^/]+")
# https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
_TOPIC_NAME = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:\-]{1,98}")
# https://cloud.google.com/secret-manager/docs/creating-and-accessing-secrets
_SECRET = re.compile(r"projects/[^/\s]+/secrets/[A-Za-z0-9_-]{1,255}")
# https://firebase.google.com/docs/firestore/manage-databases#database_name
_DATABASE = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")


class Environment:
    """Reads variables from a mapping such as `os.environ`.

    An empty or blank value counts as unset. Every look-up raises `ConfigurationError` for a value
    that is required but missing, or that is malformed.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        """Return the variable, stripped, or `default`."""
        return self._values.get(name, "").strip() or default

    def required(self, name: str, *, example: str) -> str:
        """Return the variable, stripped; it must be set."""
        value = self.text(name)
        if not value:
            raise ConfigurationError(name, "is not set", example=example)
        return value

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """Return a whole number between `minimum` and `maximum`, both included."""
        value = self.text(name)
        if not value:
            return default
        if not re.fullmatch(r"[0-9]{1,18}", value):
            raise ConfigurationError(name, "is not a whole number", example=str(default))
        number = int(value)
        if not minimum <= number <= maximum:
            problem = f"is not between {minimum} and {maximum}"
            raise ConfigurationError(name, problem, example=str(default))
        return number

    def items(self, name: str) -> tuple[str, ...]:
        """Return a comma-separated list, its items stripped and empty ones dropped."""
        return tuple(item.strip() for item in self.text(name).split(",") if item.strip())

    def project(self) -> str:
        """Return the id of the Google Cloud project, from `GOOGLE_CLOUD_PROJECT`."""
        name, example = "GOOGLE_CLOUD_PROJECT", "my-project"
        value = self.required(name, example=example)
        if not _PROJECT.fullmatch(value):
            raise ConfigurationError(name, "is not a project id", example=example)
        return value

    def database(self, variable: str = "FIRESTORE_DATABASE") -> str:
        """Return the Firestore database of a variable as `projects/…/databases/…`."""
        name = self.text(variable, "(default)")
        if not _DATABASE.fullmatch(name):
            problem = "is not a database id: (default), or 4 to 63 lower-case letters, digits and -"
            raise ConfigurationError(variable, problem, example="gemini-webhooks")
        return f"projects/{self.project()}/databases/{name}"

    def topic(self, name: str, default: str) -> str:
        """Return a topic as `projects/…/topics/…`; a short name means our own project's."""
        return self.topic_path(name, self.text(name, default), example=default)

    def topic_path(self, name: str, value: str, *, example: str) -> str:
        """Expand `value`, a short topic name or a full path, read from variable `name`."""
        path = value if "/" in value else f"projects/{self.project()}/topics/{value}"
        if not _TOPIC_PATH.fullmatch(path) or not _TOPIC_NAME.fullmatch(path.split("/")[3]):
            problem = "is neither a topic's name nor projects/PROJECT/topics/NAME"
            raise ConfigurationError(name, problem, example=example)
        return path

    def secret(self, name: str) -> str:
        """Return a Secret Manager secret as `projects/…/secrets/…`; it must be set."""
        path = self.required(name, example=EXAMPLE_SECRET_PATH)
        if not _SECRET.fullmatch(path):
            problem = "is not projects/PROJECT/secrets/NAME"
            raise ConfigurationError(name, problem, example=EXAMPLE_SECRET_PATH)
        return path

    def https_uri(self, name: str, default: str) -> str:
        """Return an https URI, or an http one on the loopback address."""
        uri = self.text(name, default)
        if not _is_secure(uri):
            problem = "is not an https URI (http is allowed on the loopback address only)"
            raise ConfigurationError(name, problem, example=default)
        return uri


def _is_secure(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        secure = parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname))
        return secure and bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", uri)
    except ValueError:
        return False


def _loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
