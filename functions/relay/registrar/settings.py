"""The registrar's environment: the webhook as it should be, and what it takes to make it so."""

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
"""The events that the API lets a webhook subscribe to; all of them by default."""

_STATES = {"present": True, "absent": False}


@dataclass(frozen=True)
class Settings:
    """What the registrar's environment says. `present` is false where no webhook should exist."""

    name: str
    uri: str
    events: tuple[str, ...]
    present: bool
    generation: str
    signing_secret: str
    api_key: str = field(repr=False)
    base_url: str | None
    secret_manager_emulator: str
    writers: frozenset[str]

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the environment; raises `ConfigurationError` for what is missing or wrong."""
        environment = Environment(environ)
        return cls(
            name=environment.text("WEBHOOK_NAME", "gemini-webhooks"),
            uri=environment.required("WEBHOOK_URI", example="https://receive.example"),
            events=environment.items("WEBHOOK_EVENTS") or EVENTS,
            present=_present(environment.text("WEBHOOK_STATE", "present")),
            generation=environment.text("GENERATION"),
            signing_secret=environment.secret("SIGNING_SECRET"),
            api_key=environment.required("GEMINI_API_KEY", example="AIza…"),
            base_url=environment.text("GOOGLE_GEMINI_BASE_URL") or None,
            secret_manager_emulator=environment.text("SECRET_MANAGER_EMULATOR_HOST"),
            writers=_writers(environment),
        )


def _writers(environment: Environment) -> frozenset[str]:
    """Return who may do more than read, in lower case; nobody else may."""
    writers = frozenset(map(str.lower, environment.items("WRITERS")))
    checked = bool(environment.items("OIDC_AUDIENCE"))
    if writers and not checked:
        problem = "is not set, though WRITERS is: no caller's identity would be checked"
        raise ConfigurationError("OIDC_AUDIENCE", problem, example="https://registrar.example")
    if checked and not writers:
        problem = "is not set, though OIDC_AUDIENCE is: nobody could have the webhook converge"
        example = "schedules@my-project.iam.gserviceaccount.com"
        raise ConfigurationError("WRITERS", problem, example=example)
    return writers


def _present(state: str) -> bool:
    if state not in _STATES:
        problem = "is neither present nor absent"
        raise ConfigurationError("WEBHOOK_STATE", problem, example="present")
    return _STATES[state]
