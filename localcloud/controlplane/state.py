"""The state that all planes of the local cloud share."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from localcloud.controlplane.access import Binding, Policies
from localcloud.controlplane.agents import AGENTS
from localcloud.controlplane.errors import denied
from localcloud.controlplane.journal import Journal
from localcloud.controlplane.names import Project
from localcloud.controlplane.realism import LENIENT, Agenda, Realism
from localcloud.controlplane.roles import OWNER
from localcloud.controlplane.store import Resources
from localcloud.controlplane.tokens import Issuer
from localcloud.core.clock import Clock
from localcloud.core.fast_clock import FastClock


class State:
    """One project: its resources, policies, clock, journal, and the tokens of those who call.

    `deployer` is the member that deploys, by default an owner of the project; `owner` always is.
    `access_tokens` says who bears which token. `used` holds the permissions that the deployer's
    calls were checked for.
    `agenda` holds what Google does later by itself; reading `resources` or `policies` carries out
    what is due. `billed` says whether an account pays, `org_policies` holds the rules of the
    organisation policies in effect, by constraint.
    """

    def __init__(
        self,
        clock: Clock,
        project: Project | None = None,
        *,
        realism: Realism = LENIENT,
        deployer: str = "user:deployer@example.com",
        deployer_roles: Sequence[str] = (OWNER,),
    ) -> None:
        """Make an otherwise empty project in which the deployer has some roles."""
        self.clock = clock
        self.project = project or Project()
        self.realism = realism
        self.deployer = deployer
        self.journal = Journal()
        self.owner = "user:owner@example.com"
        self.access_tokens = {"x": deployer, "owner": self.owner}
        self.used: set[str] = set()
        self.billed = True
        self.org_policies: dict[str, Sequence[Mapping[str, object]]] = {}
        self.issuer = Issuer(clock)
        self.delays = FastClock(clock, realism.rate)
        self.agenda = Agenda(self.delays)
        self._resources = Resources()
        self._policies = Policies(
            self.project,
            self._resources,
            now=self.delays.time,
            delay=realism.grant_propagation_seconds,
        )
        self._active_from: dict[str, float] = {}
        self._given = [
            Binding(self.root, OWNER, self.owner),
            *(Binding(self.root, role, deployer) for role in deployer_roles),
        ]
        for binding in self._given:
            self._policies.grant(binding)

    @property
    def resources(self) -> Resources:
        """The resources that exist now."""
        self.agenda.catch_up()
        return self._resources

    @property
    def policies(self) -> Policies:
        """The policies that are set now."""
        self.agenda.catch_up()
        return self._policies

    @property
    def root(self) -> str:
        """The project's resource name."""
        return f"projects/{self.project.id}"

    def identify(self, authorization: str) -> str:
        """Return the member that bears an `Authorization` header's token, or an empty string."""
        scheme, _, token = authorization.partition(" ")
        return self.access_tokens.get(token, "") if scheme.lower() == "bearer" else ""

    def is_enabled(self, service: str) -> bool:
        """Return whether the project has enabled an API, which may take effect later."""
        return f"{self.root}/services/{service}" in self.resources

    def is_active(self, service: str) -> bool:
        """Return whether an API is enabled and that has taken effect."""
        return self.is_enabled(service) and self._active_from[service] <= self.delays.time()

    def enable(self, service: str) -> None:
        """Enable an API; it becomes active, and its service agents come into being, in time."""
        name = f"{self.root}/services/{service}"
        if name in self.resources:
            return
        self.resources.put(name, {"name": name, "state": "ENABLED"})
        now = self.delays.time()
        self._active_from[service] = now + self.realism.service_activation_seconds
        self.agenda.after(self.realism.agent_creation_seconds, lambda: self.create_agents(service))

    def create_agents(self, service: str) -> None:
        """Make an API's service agents, each with the role that Google gives it, once."""
        for agent in AGENTS.get(service, ()):
            email = agent.email(self.project)
            name = f"{self.root}/serviceAccounts/{email}"
            if name in self._resources:
                continue
            self._resources.put(name, {"email": email, "agent": True})
            if agent.role:
                self._policies.grant(Binding(self.root, agent.role, f"serviceAccount:{email}"))

    def check_caller(self, identity: str, permission: str, resource: str) -> None:
        """Refuse the caller of a REST API that lacks a permission, if callers need any."""
        if identity == self.deployer:
            self.used.add(permission)
        if not self.realism.callers_need_permissions:
            return
        if not self.policies.allows(identity, permission, self.project.by_id(resource)):
            raise denied(permission, resource)

    def check_may_act_as(self, identity: str, email: str) -> None:
        """Refuse a caller that may not have something run as a service account."""
        account = f"{self.root}/serviceAccounts/{email}"
        self.check_caller(identity, "iam.serviceAccounts.actAs", account)

    def is_googles(self, binding: Binding) -> bool:
        """Return whether a grant is Google's own, or one that the project began with."""
        return binding in self._given or (
            binding.resource == self.root and binding.role.endswith(".serviceAgent")
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
