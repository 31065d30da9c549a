"""The dispatcher's environment: variable names and defaults are a contract with deployments."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from relay.dispatcher.claims import Terms
from relay.dispatcher.routes import Route, read_routes
from relay.environment import Environment


@dataclass(frozen=True)
class Settings:
    """What the dispatcher's environment says; topics as `projects/…/topics/…`."""

    project: str
    dead_letter_topic: str
    routes: tuple[Route, ...]
    terms: Terms

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the environment; raises `ConfigurationError` for what is missing or wrong."""
        environment = Environment(environ)
        lease = environment.integer("LEASE_SECONDS", 120, minimum=2, maximum=600)
        retention = environment.integer("DEDUP_RETENTION_DAYS", 7, minimum=1, maximum=365)
        return cls(
            project=environment.project(),
            dead_letter_topic=environment.topic("DEAD_LETTER_TOPIC", "gemini-webhooks-dead-letter"),
            routes=read_routes(environment),
            terms=Terms(lease=timedelta(seconds=lease), retention=timedelta(days=retention)),
        )

    @property
    def source(self) -> str:
        """Events' `ce-source`: the service that announces them, to this project."""
        return f"//generativelanguage.googleapis.com/projects/{self.project}"
