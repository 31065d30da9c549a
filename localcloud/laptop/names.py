"""The names of a laptop stack's resources: those that a deployment gives its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Full resource names in `project`, each beginning with `name`."""

    project: str
    name: str = "gemini-webhooks"

    @property
    def ingress(self) -> str:
        """The topic of verified deliveries."""
        return self.topic("ingress")

    @property
    def events(self) -> str:
        """The topic of events, which subscribers subscribe to."""
        return self.topic("events")

    @property
    def dead_letter(self) -> str:
        """The topic of what could not be dispatched."""
        return self.topic("dead-letter")

    @property
    def dispatch(self) -> str:
        """The push subscription of the ingress topic."""
        return self.subscription("dispatch")

    @property
    def dead_letters(self) -> str:
        """The pull subscription that keeps dead letters."""
        return self.subscription("dead-letter")

    @property
    def signing_secret(self) -> str:
        """The secret whose versions are signing secrets."""
        return f"projects/{self.project}/secrets/{self.name}-signing-secret"

    @property
    def push_identity(self) -> str:
        """The service account that pushes are made as."""
        return f"{self.name}-push@{self.project}.iam.gserviceaccount.com"

    def topic(self, suffix: str) -> str:
        """Return the topic whose name ends so."""
        return f"projects/{self.project}/topics/{self.name}-{suffix}"

    def subscription(self, suffix: str) -> str:
        """Return the subscription whose name ends so."""
        return f"projects/{self.project}/subscriptions/{self.name}-{suffix}"
