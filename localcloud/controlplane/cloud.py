"""The local cloud as one object."""

import asyncio
import functools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from google.cloud.secretmanager_v1 import types as secrets_api
from google.pubsub_v1 import types as pubsub_api
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from localcloud.controlplane.api import Plane, Router, application, invoke, message
from localcloud.controlplane.builds import Builder
from localcloud.controlplane.declared import indexes_of, ttl_policies
from localcloud.controlplane.deployments import Deployments
from localcloud.controlplane.errors import from_rpc
from localcloud.controlplane.guard import IamGuard
from localcloud.controlplane.journal import Entry
from localcloud.controlplane.names import Project
from localcloud.controlplane.network import Network
from localcloud.controlplane.outside import Outside
from localcloud.controlplane.planes.artifactregistry import ArtifactRegistry
from localcloud.controlplane.planes.bigquery import BigQuery
from localcloud.controlplane.planes.firestore import FirestoreAdmin
from localcloud.controlplane.planes.functions import CloudFunctions
from localcloud.controlplane.planes.iam import Iam
from localcloud.controlplane.planes.iamcredentials import IamCredentials
from localcloud.controlplane.planes.kms import Kms
from localcloud.controlplane.planes.logging import Logging
from localcloud.controlplane.planes.monitoring import Monitoring
from localcloud.controlplane.planes.orgpolicy import OrgPolicy
from localcloud.controlplane.planes.pubsub import PubSubPlane
from localcloud.controlplane.planes.resourcemanager import CloudBilling, ResourceManager
from localcloud.controlplane.planes.run import CloudRun
from localcloud.controlplane.planes.scheduler import CloudScheduler
from localcloud.controlplane.planes.secretmanager import SecretManagerPlane
from localcloud.controlplane.planes.serviceusage import ServiceUsage
from localcloud.controlplane.planes.storage import Storage
from localcloud.controlplane.realism import LENIENT, Realism
from localcloud.controlplane.roles import OWNER
from localcloud.controlplane.state import State
from localcloud.core.clock import Clock, SystemClock
from localcloud.core.rpc import Call, Listener, RpcError, Service, listen
from localcloud.core.serving import AppServer
from localcloud.firestore import Firestore
from localcloud.pubsub import PubSub, PushFailedError
from localcloud.pubsub.envelope import PushRequest
from localcloud.pubsub.sender import HttpSender
from localcloud.runner.process import OnLine, discard
from localcloud.secretmanager import SecretManager

if TYPE_CHECKING:
    from localcloud.core.raw import Message

# The service takes up to a day.
_EXPIRY_SECONDS = 3600.0
# What the path of a REST call begins with that is made as a member: `/as/user:a@b/storage/v1/…`.
_AS = "/as/"
_ENDPOINT_OF_SECRETS = "google.cloud.secretmanager.v1.SecretManagerService"


@dataclass(frozen=True)
class Settings:
    """The settings of a local cloud.

    `surroundings` are environment variables that every function has unless Terraform sets them,
    such as the address of the simulated Gemini. `schedule_clock` is the clock of Cloud Scheduler,
    `clock` that of everything else. `realism` says which of Google's delays and refusals are
    imitated; `deployer_roles` are the deployer's roles on the project. `freeze` has a function
    stopped while it has no request in flight.
    """

    clock: Clock = field(default_factory=SystemClock)
    schedule_clock: Clock | None = None
    realism: Realism = LENIENT
    deployer_roles: Sequence[str] = (OWNER,)
    project: Project = field(default_factory=Project)
    surroundings: Mapping[str, str] = field(default_factory=dict)
    list_lag_seconds: float = 0.0
    freeze: bool = True
    on_line: OnLine = discard


class Cloud:
    """A Google Cloud with one project; `async with` runs it.

    `url` serves its REST APIs, Google's public keys (`/oauth2/v3/certs`), the journal
    (`/control/calls`) and the deployer's tokens (`/control/identity-token?audience=…`). `endpoints`
    are the google provider's arguments that point there.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        clock = self.settings.clock
        self.state = State(
            clock,
            self.settings.project,
            realism=self.settings.realism,
            deployer_roles=self.settings.deployer_roles,
        )
        self.network = Network()
        self.pubsub = PubSub(
            clock,
            identity_token=self._push_token,
            permit=self._permit,
            sender=self._push,
        )
        self._sender = HttpSender(self.network)
        self.firestore = Firestore(
            clock,
            exists=lambda name: name in self.state.resources,
            indexed=functools.partial(indexes_of, self.state),
        )
        self.secrets = SecretManager(
            clock,
            list_lag_seconds=self.settings.list_lag_seconds,
            project_number=self.state.project.number_of,
        )
        self.deployments = Deployments(
            self.state, self.network, self.settings.on_line, freeze=self.settings.freeze
        )
        schedule_clock = self.settings.schedule_clock or clock
        self.scheduler = CloudScheduler(self.state, self.network, schedule_clock)
        self.outside = Outside(self.state)
        self._server = AppServer(application(self._answer))
        self.planes = self._planes()
        self._router = Router(self.state, self.planes)
        self._listeners: dict[str, Listener] = {}
        self._tokens: dict[str, str] = {}
        self._expiring: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the REST APIs are."""
        return self._server.url

    @property
    def endpoints(self) -> dict[str, str]:
        """The google provider's `…_custom_endpoint` arguments."""
        return {
            argument: f"{self.url}/{path}"
            for plane in self.planes
            for argument, path in plane.endpoints.items()
        }

    async def address_for(self, member: str) -> str:
        """Return the address at which the emulators treat every caller as `member`."""
        if member not in self._listeners:
            services = {**self.pubsub.services, **self.firestore.services, **self.secrets.services}
            guard = IamGuard(self.state)
            self._listeners[member] = await listen(services, identity=member, guard=guard)
        return self._listeners[member].address

    async def variables_for(self, member: str) -> dict[str, str]:
        """Return the environment variables by which `member` reaches the emulators."""
        address = await self.address_for(member)
        emulators = ("PUBSUB", "FIRESTORE", "SECRET_MANAGER")
        found = {f"{name}_EMULATOR_HOST": address for name in emulators}
        storage = {"STORAGE_EMULATOR_HOST": f"{self.url}{_AS}{member}"}
        return {**self.settings.surroundings, **found, **storage}

    def deployers_token(self, audience: str) -> str:
        """Return what `gcloud auth print-identity-token` prints for the deployer."""
        email = self.state.deployer.partition(":")[2]
        return self.state.issuer.identity_token(email, audience)

    async def remains(self) -> list[str]:
        """Return the names of all resources and grants that exist.

        Enabled APIs, Google's own accounts and grants, and deleted custom roles are left out, since
        they stay at Google as well.
        """
        stored = [
            name
            for name in self.state.resources
            if not name.startswith(f"{self.state.root}/services/")
            and not self.state.resources.get(name).keys() & {"agent", "deleted"}
        ]
        grants = [
            f"{binding.role} of {binding.member} on {binding.resource}"
            for binding in self.state.policies.bindings()
            if not self.state.is_googles(binding)
        ]
        return [*stored, *await self._emulated(), *grants]

    async def _emulated(self) -> list[str]:
        project, number = self.state.root, f"projects/{self.state.project.number}"
        asked: Sequence[tuple[Service, str, Message]] = (
            (
                self.pubsub.services["google.pubsub.v1.Publisher"],
                "ListTopics",
                pubsub_api.ListTopicsRequest.pb()(project=project),
            ),
            (
                self.pubsub.services["google.pubsub.v1.Subscriber"],
                "ListSubscriptions",
                pubsub_api.ListSubscriptionsRequest.pb()(project=project),
            ),
            (
                self.secrets.services[_ENDPOINT_OF_SECRETS],
                "ListSecrets",
                secrets_api.ListSecretsRequest.pb()(parent=number),
            ),
        )
        listed = [await invoke(*call) for call in asked]
        return [
            item["name"]
            for reply in listed
            for items in reply.values()
            if isinstance(items, list)
            for item in items
        ]

    async def start(self) -> None:
        """Start serving."""
        await self._server.__aenter__()
        await self.outside.__aenter__()
        self._expiring = asyncio.create_task(self._expire())

    async def close(self) -> None:
        """Stop everything, functions included."""
        if self._expiring:
            self._expiring.cancel()
        await self.scheduler.close()
        await self.deployments.close()
        await self.pubsub.close()
        await self.firestore.close()
        for listener in self._listeners.values():
            await listener.stop()
        await self._server.__aexit__(None, None, None)
        await self.outside.__aexit__()
        await self.network.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _planes(self) -> Sequence[Plane]:
        state = self.state
        storage = Storage(state)
        builder = Builder(state, storage, self.variables_for, self._read_secret)
        return [
            ServiceUsage(state),
            CloudBilling(state),
            ResourceManager(state),
            OrgPolicy(state),
            Iam(state),
            IamCredentials(state),
            storage,
            SecretManagerPlane(state, self.secrets.services[_ENDPOINT_OF_SECRETS]),
            PubSubPlane(state, self.pubsub.services),
            FirestoreAdmin(state, self.firestore.drop_database),
            CloudFunctions(state, builder, self.deployments),
            CloudRun(state),
            self.scheduler,
            Monitoring(state),
            Logging(state),
            ArtifactRegistry(state),
            BigQuery(state),
            Kms(state),
        ]

    async def _answer(self, request: Request) -> Response:
        if request.url.path == "/oauth2/v3/certs":
            return JSONResponse(self.state.issuer.jwks())
        if request.url.path == "/control/calls":
            calls = [asdict(entry) for entry in self.state.journal.since()]
            return JSONResponse({"calls": calls})
        if request.url.path == "/control/identity-token":
            return PlainTextResponse(self.deployers_token(request.query_params["audience"]))
        return await self._router(self._authorized(request))

    def _authorized(self, request: Request) -> Request:
        """Return a request without a token with that of whom its address stands for.

        That is a member, whose clients have the address from `variables_for`, or who began the
        upload that the address continues.
        """
        path, token = request.url.path, request.query_params.get("upload_id", "")
        if path.startswith(_AS):
            member, _, rest = path.removeprefix(_AS).partition("/")
            path, token = f"/{rest}", self._tokens.setdefault(member, secrets.token_urlsafe(24))
            self.state.access_tokens[token] = member
        if not token or "authorization" in request.headers:
            return request
        headers = [*request.scope["headers"], (b"authorization", f"Bearer {token}".encode())]
        scope = {**request.scope, "path": path, "raw_path": path.encode(), "headers": headers}
        return Request(scope, request.receive)

    async def _push(self, request: PushRequest) -> int:
        """Send a push, and record its status by message id, which a door does not know."""
        status = await self._sender(request)
        now, agent = self.state.clock.time(), self.state.agent("pubsub.googleapis.com")
        call = f"PUSH {request.message_id}"
        self.state.journal.add(
            Entry(now, agent, "pubsub.googleapis.com", call, status, writes=False)
        )
        return status

    def _push_token(self, email: str, audience: str) -> str:
        account = f"{self.state.root}/serviceAccounts/{email}"
        agent = self.state.agent("pubsub.googleapis.com")
        if not self.state.policies.allows(agent, "iam.serviceAccounts.getOpenIdToken", account):
            raise PushFailedError(f"Pub/Sub may not mint a token of {email}")
        return self.state.issuer.identity_token(email, audience)

    async def _expire(self) -> None:
        while True:
            await self.settings.clock.sleep(_EXPIRY_SECONDS)
            for policy in ttl_policies(self.state):
                self.firestore.expire(*policy)

    def _permit(self, _project: str, permission: str, resource: str) -> bool:
        agent = self.state.agent("pubsub.googleapis.com")
        return self.state.policies.allows(agent, permission, resource)

    async def _read_secret(self, member: str, version: str) -> str:
        name = self.state.project.by_id(version)
        method = "AccessSecretVersion"
        request: Any = message(secrets_api.AccessSecretVersionRequest.pb(), {"name": name})
        try:
            call = Call(member, f"{_ENDPOINT_OF_SECRETS}/{method}", request, {})
            await IamGuard(self.state)(call)
            reply = await self.secrets.services[_ENDPOINT_OF_SECRETS][method].handler(request)
        except RpcError as error:
            raise from_rpc(error) from error
        payload: bytes = reply.payload.data
        return payload.decode()
