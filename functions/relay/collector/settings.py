"""The collector's environment: variable names and defaults are a contract with deployments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.environment import Environment
from relay.errors import ConfigurationError

# https://cloud.google.com/storage/docs/buckets#naming
_BUCKET = re.compile(r"[a-z0-9][a-z0-9_.-]{1,220}[a-z0-9]")


@dataclass(frozen=True)
class Settings:
    """What the collector's environment says; topics as `projects/…/topics/…`."""

    bucket: str
    ingress_topic: str
    dead_letter_topic: str
    api_key: str = field(repr=False)
    base_url: str | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the environment; raises `ConfigurationError` for what is missing or wrong."""
        environment = Environment(environ)
        return cls(
            bucket=_bucket(environment),
            ingress_topic=environment.topic("INGRESS_TOPIC", "gemini-webhooks-ingress"),
            dead_letter_topic=environment.topic("DEAD_LETTER_TOPIC", "gemini-webhooks-dead-letter"),
            api_key=environment.required("GEMINI_API_KEY", example="AIza…"),
            base_url=environment.text("GOOGLE_GEMINI_BASE_URL") or None,
        )


def _bucket(environment: Environment) -> str:
    example = "my-project-gemini-results"
    name = environment.required("BUCKET", example=example)
    if not _BUCKET.fullmatch(name):
        raise ConfigurationError("BUCKET", "is not the name of a bucket", example=example)
    return name
