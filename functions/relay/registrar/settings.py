"""The desired state of the webhook, as the environment has it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.environment import Environment
from relay.errors import ConfigurationError

EVENTS = (
    "batch.succeeded",
    "batch.failed",
    "batch.expired",
    "interaction.completed",
    "interaction.requires_action",
    "interaction.failed",
    "video.generated",
)
"""What the API lets a webhook subscribe to; the default."""

_SECRET = re.compile(r"projects/[^/]+/secrets/[A-Za-z0-9_-]{1,255}")
_STATES = {"present": True, "absent": False}


@dataclass(frozen=True)
class Settings:
    """What the registrar is to achieve, and with what. `present` is false for no webhook at all."""

    name: str
    uri: str
    events: tuple[str, ...]
    present: bool
    generation: str
    signing_secret: str
    api_key: str = field(repr=False)
    base_url: str | None
    secret_manager_emulator: str
    read_only_callers: frozenset[str]


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return what the environment says; raises `ConfigurationError`."""
    environment = Environment(environ)
    read_only = frozenset(environment.items("READ_ONLY_CALLERS"))
    if read_only and not environment.items("OIDC_AUDIENCE"):
        problem = "is not set, though READ_ONLY_CALLERS is: nobody's identity would be looked at"
        raise ConfigurationError("OIDC_AUDIENCE", problem, example="https://registrar.example")
    return Settings(
        name=environment.text("WEBHOOK_NAME", "gemini-webhooks"),
        uri=environment.required("WEBHOOK_URI", example="https://receive.example"),
        events=environment.items("WEBHOOK_EVENTS") or EVENTS,
        present=_present(environment.text("WEBHOOK_STATE", "present")),
        generation=environment.text("GENERATION"),
        signing_secret=_secret(environment),
        api_key=environment.required("GEMINI_API_KEY", example="AIza…"),
        base_url=environment.text("GOOGLE_GEMINI_BASE_URL") or None,
        secret_manager_emulator=environment.text("SECRET_MANAGER_EMULATOR_HOST"),
        read_only_callers=read_only,
    )


def _present(state: str) -> bool:
    if state not in _STATES:
        problem = "is neither present nor absent"
        raise ConfigurationError("WEBHOOK_STATE", problem, example="present")
    return _STATES[state]


def _secret(environment: Environment) -> str:
    example = "projects/my-project/secrets/gemini-webhooks-signing-secret"
    value = environment.required("SIGNING_SECRET", example=example)
    if not _SECRET.fullmatch(value):
        problem = "is not projects/PROJECT/secrets/NAME"
        raise ConfigurationError("SIGNING_SECRET", problem, example=example)
    return value
