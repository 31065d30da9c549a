"""The reconciler's environment: variable names and defaults are a contract with deployments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from relay.environment import Environment
from relay.errors import ConfigurationError

LOOK_SECONDS = 30.0
"""How long one look may take."""

_ADOPT = {"none": False, "batches": True}


@dataclass(frozen=True)
class Settings:
    """What the reconciler's environment says; the topic as `projects/…/topics/…`.

    `budget` and `lease` are in seconds. A lease outlasts the budget and a look.
    """

    ingress_topic: str
    api_key: str = field(repr=False)
    base_url: str | None = None
    per_second: int = 5
    budget: float = 240.0
    lease: timedelta = timedelta(seconds=300)
    adopt: bool = False
    give_up: timedelta = timedelta(hours=72)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the environment; raises `ConfigurationError` for what is missing or wrong."""
        environment = Environment(environ)
        environment.required("JOBS_DATABASE", example="gemini-jobs")
        environment.database("JOBS_DATABASE")
        environment.database()
        budget = environment.integer("BUDGET_SECONDS", 240, minimum=1, maximum=3000)
        shortest = budget + int(LOOK_SECONDS)
        lease = environment.integer("LEASE_SECONDS", budget + 60, minimum=shortest, maximum=3600)
        give_up = environment.integer("GIVE_UP_HOURS", 72, minimum=1, maximum=8760)
        return cls(
            ingress_topic=environment.topic("INGRESS_TOPIC", "gemini-webhooks-ingress"),
            api_key=environment.required("GEMINI_API_KEY", example="AIza…"),
            base_url=environment.text("GOOGLE_GEMINI_BASE_URL") or None,
            per_second=environment.integer("PER_SECOND", 5, minimum=1, maximum=100),
            budget=float(budget),
            lease=timedelta(seconds=lease),
            adopt=_adopt(environment.text("ADOPT", "none")),
            give_up=timedelta(hours=give_up),
        )


def _adopt(word: str) -> bool:
    if word not in _ADOPT:
        raise ConfigurationError("ADOPT", "is neither none nor batches", example="batches")
    return _ADOPT[word]
