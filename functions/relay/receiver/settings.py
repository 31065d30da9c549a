"""The receiver's environment: its names and defaults are a contract with whoever deploys it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from relay.environment import Environment
from relay.errors import ConfigurationError
from relay.keys.jwks import GOOGLE_JWKS_URI
from relay.keys.secret import EXAMPLE_SECRET, parse_secret

SCHEMES = ("v1", "v1a", "jwt")

_SECRET_PATH = re.compile(r"projects/[^/\s]+/secrets/[A-Za-z0-9_-]{1,255}")
_EXAMPLE_SECRET_PATH = "projects/my-project/secrets/gemini-webhook-signing"  # noqa: S105 - a name
_MOST_SECRETS = 8
# Pub/Sub takes 10 MB, attributes and all.
_LARGEST_BODY = 9_000_000


@dataclass(frozen=True, repr=False)
class ReceiverSettings:
    """What the receiver is told. It has no repr, since it holds keys."""

    topic: str
    schemes: tuple[str, ...]
    secrets: tuple[bytes, ...]
    secret_path: str
    jwks_uri: str
    audiences: tuple[str, ...]
    tolerance: int
    """Seconds."""
    max_body: int
    """Bytes."""
    secret_manager_emulator: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "ReceiverSettings":
        """Read the environment; raises `ConfigurationError` for what is missing or wrong."""
        read = Environment(environ)
        read.project()
        audiences = read.items("JWT_AUDIENCE")
        schemes = _schemes(read, audiences)
        secrets, path = _signing_secret(read) if "v1" in schemes else ((), "")
        return cls(
            topic=read.topic("INGRESS_TOPIC", "gemini-webhooks-ingress"),
            schemes=schemes,
            secrets=secrets,
            secret_path=path,
            jwks_uri=_jwks_uri(read),
            audiences=audiences,
            tolerance=read.integer("TIMESTAMP_TOLERANCE_SECONDS", 300, minimum=1, maximum=86_400),
            max_body=read.integer("MAX_BODY_BYTES", 262_144, minimum=1, maximum=_LARGEST_BODY),
            secret_manager_emulator=read.text("SECRET_MANAGER_EMULATOR_HOST"),
        )


def _schemes(read: Environment, audiences: tuple[str, ...]) -> tuple[str, ...]:
    chosen = read.items("SCHEMES")
    if not chosen:
        return SCHEMES if audiences else SCHEMES[:2]
    if any(scheme not in SCHEMES for scheme in chosen):
        problem = f"names a scheme other than {', '.join(SCHEMES)}"
        raise ConfigurationError("SCHEMES", problem, example="v1,v1a")
    if "jwt" in chosen and not audiences:
        problem = "is not set, although SCHEMES accepts jwt"
        raise ConfigurationError("JWT_AUDIENCE", problem, example="https://hooks.example.com/")
    return tuple(scheme for scheme in SCHEMES if scheme in chosen)


def _signing_secret(read: Environment) -> tuple[tuple[bytes, ...], str]:
    here, path = read.text("WEBHOOK_SIGNING_SECRET"), read.text("SIGNING_SECRET")
    if here and path:
        problem = "is set beside WEBHOOK_SIGNING_SECRET; set one of the two"
        raise ConfigurationError("SIGNING_SECRET", problem, example=_EXAMPLE_SECRET_PATH)
    if here:
        return _secrets(here.split()), ""
    if not path:
        problem = "is not set, and neither is WEBHOOK_SIGNING_SECRET, although v1 is accepted"
        raise ConfigurationError("SIGNING_SECRET", problem, example=_EXAMPLE_SECRET_PATH)
    if not _SECRET_PATH.fullmatch(path):
        problem = "is not projects/PROJECT/secrets/NAME"
        raise ConfigurationError("SIGNING_SECRET", problem, example=_EXAMPLE_SECRET_PATH)
    return (), path


def _secrets(texts: list[str]) -> tuple[bytes, ...]:
    name = "WEBHOOK_SIGNING_SECRET"
    if len(texts) > _MOST_SECRETS:
        problem = f"holds more than {_MOST_SECRETS} secrets"
        raise ConfigurationError(name, problem, example=EXAMPLE_SECRET)
    try:
        return tuple(parse_secret(text) for text in texts)
    except ValueError as error:
        # The message of parse_secret never repeats what it was given.
        raise ConfigurationError(name, str(error), example=EXAMPLE_SECRET) from None


def _jwks_uri(read: Environment) -> str:
    uri = read.text("JWKS_URI", GOOGLE_JWKS_URI)
    try:
        parts = urlsplit(uri)
        secure = parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname))
        usable = secure and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", uri):
        problem = "is not an https URI (http is allowed on the loopback address only)"
        raise ConfigurationError("JWKS_URI", problem, example=GOOGLE_JWKS_URI)
    return uri


def _loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
