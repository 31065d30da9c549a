"""The receiver's environment: variable names and defaults are a contract with deployments."""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.environment import EXAMPLE_SECRET_PATH, Environment
from relay.errors import ConfigurationError
from relay.keys.jwks import GOOGLE_JWKS_URI
from relay.keys.secret import EXAMPLE_SECRET, parse_secret

SCHEMES = ("v1", "v1a", "jwt")

_MOST_SECRETS = 8
# Gemini's payloads are thin: pointers, never results. What is larger takes memory for nothing.
_LARGEST_BODY = 1_048_576
# An idle receiver holds about 75 MiB; the rest is room for connections and for the allocator.
_IDLE_BYTES = 128 << 20


@dataclass(frozen=True, repr=False)
class Settings:
    """What the receiver's environment says. It has no repr, since it holds keys."""

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
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the environment; raises `ConfigurationError` for what is missing or wrong."""
        environment = Environment(environ)
        environment.project()
        audiences = environment.items("JWT_AUDIENCE")
        schemes = _schemes(environment, audiences)
        secrets, path = _signing_secret(environment) if "v1" in schemes else ((), "")
        max_body = environment.integer("MAX_BODY_BYTES", 262_144, minimum=1, maximum=_LARGEST_BODY)
        _check_memory(environment, max_body)
        return cls(
            topic=environment.topic("INGRESS_TOPIC", "gemini-webhooks-ingress"),
            schemes=schemes,
            secrets=secrets,
            secret_path=path,
            jwks_uri=environment.https_uri("JWKS_URI", GOOGLE_JWKS_URI),
            audiences=audiences,
            tolerance=environment.integer(
                "TIMESTAMP_TOLERANCE_SECONDS", 300, minimum=1, maximum=86_400
            ),
            max_body=max_body,
            secret_manager_emulator=environment.text("SECRET_MANAGER_EMULATOR_HOST"),
        )


def _schemes(environment: Environment, audiences: tuple[str, ...]) -> tuple[str, ...]:
    chosen = environment.items("SCHEMES") or ("v1",)
    if any(scheme not in SCHEMES for scheme in chosen):
        problem = f"names a scheme other than {', '.join(SCHEMES)}"
        raise ConfigurationError("SCHEMES", problem, example="v1,v1a")
    if "jwt" in chosen and not audiences:
        problem = "is not set, although SCHEMES accepts jwt"
        raise ConfigurationError("JWT_AUDIENCE", problem, example="https://hooks.example.com/")
    if audiences and "jwt" not in chosen:
        problem = "does not accept jwt, although JWT_AUDIENCE is set"
        raise ConfigurationError("SCHEMES", problem, example=",".join((*chosen, "jwt")))
    return tuple(scheme for scheme in SCHEMES if scheme in chosen)


def memory_needed(max_body: int, concurrency: int) -> int:
    """Return the bytes that an instance needs to hold `concurrency` bodies of `max_body` bytes.

    Each is held up to four times: as it arrives, as what is signed, as a message, and in a call.
    """
    return _IDLE_BYTES + 4 * max_body * concurrency


def _check_memory(environment: Environment, max_body: int) -> None:
    memory = environment.integer("MEMORY_MIB", 0, minimum=1, maximum=1 << 20) << 20
    concurrency = environment.integer("CONCURRENCY", 1, minimum=1, maximum=1000)
    if memory and (needed := memory_needed(max_body, concurrency)) > memory:
        problem = (
            f"is too little for {concurrency} requests at once of MAX_BODY_BYTES={max_body} each,"
            f" which need {-(-needed >> 20)}"
        )
        raise ConfigurationError("MEMORY_MIB", problem, example=str(-(-needed >> 20)))


def _signing_secret(environment: Environment) -> tuple[tuple[bytes, ...], str]:
    """Return the secrets themselves, or else the path of the one in Secret Manager."""
    here, there = environment.text("WEBHOOK_SIGNING_SECRET"), environment.text("SIGNING_SECRET")
    if here and there:
        problem = "is set beside WEBHOOK_SIGNING_SECRET; set one of the two"
        raise ConfigurationError("SIGNING_SECRET", problem, example=EXAMPLE_SECRET_PATH)
    if here:
        return _secrets(here.split()), ""
    if not there:
        problem = "is not set, and neither is WEBHOOK_SIGNING_SECRET, although v1 is accepted"
        raise ConfigurationError("SIGNING_SECRET", problem, example=EXAMPLE_SECRET_PATH)
    return (), environment.secret("SIGNING_SECRET")


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
