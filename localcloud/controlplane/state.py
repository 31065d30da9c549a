"""What all planes of the local cloud share."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from localcloud.controlplane.access import Binding, Policies
from localcloud.controlplane.agents import AGENTS
from localcloud.controlplane.journal import Journal
from localcloud.controlplane.names import Project
from localcloud.controlplane.roles import OWNER
from localcloud.controlplane.store import Resources
from localcloud.controlplane.tokens import Issuer
from localcloud.core.clock import Clock


@dataclass
class State:
    """One project: its resources, policies, clock, journal, and the tokens of those who call.

    `deployer` is the member that owns the project; `access_tokens` says who bears which token.
    """

    clock: Clock
    project: Project = field(default_factory=Project)
    deployer: str = "user:deployer@example.com"
    resources: Resources = field(default_factory=Resources)
    journal: Journal = field(default_factory=Journal)
    access_tokens: dict[str, str] = field(default_factory=dict)
    policies: Policies = field(init=False)
    issuer: Issuer = field(init=False)

    def __post_init__(self) -> None:
        """Make the deployer the owner of an otherwise empty project."""
        self.policies = Policies(self.project, self.resources)
        self.policies.grant(Binding(self.root, OWNER, self.deployer))
        self.issuer = Issuer(self.clock)
        self.access_tokens.setdefault("x", self.deployer)

    @property
    def root(self) -> str:
        """The project's resource name."""
        return f"projects/{self.project.id}"

    def identify(self, authorization: str) -> str:
        """Return the member that bears an `Authorization` header's token, or an empty string."""
        scheme, _, token = authorization.partition(" ")
        return self.access_tokens.get(token, "") if scheme.lower() == "bearer" else ""

    def is_enabled(self, service: str) -> bool:
        """Tell whether the project has enabled an API."""
        return f"{self.root}/services/{service}" in self.resources

    def enable(self, service: str) -> None:
        """Enable an API; its service agent comes into being, with the role that Google gives it."""
        name = f"{self.root}/services/{service}"
        if name in self.resources:
            return
        self.resources.put(name, {"name": name, "state": "ENABLED"})
        for agent in AGENTS.get(service, ()):
            email = agent.email(self.project)
            self.resources.put(
                f"{self.root}/serviceAccounts/{email}", {"email": email, "agent": True}
            )
            if agent.role:
                self.policies.grant(Binding(self.root, agent.role, f"serviceAccount:{email}"))

    def is_googles(self, binding: Binding) -> bool:
        """Tell whether a grant is one that Google, or the making of the project, gave."""
        return binding.resource == self.root and (
            binding.role == OWNER or binding.role.endswith(".serviceAgent")
        )

    def agent(self, service: str) -> str:
        """Return the member that is an API's service agent."""
        return f"serviceAccount:{AGENTS[service][0].email(self.project)}"

    def timestamp(self) -> str:
        """Return the time as Google's APIs write it."""
        return rfc3339(self.clock.time())


def rfc3339(seconds: float) -> str:
    """Return Unix seconds as RFC 3339, UTC, in microseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
