"""A small world for the registrar: simulator and emulators behind their real clients.

Many registrars share it without meeting: each has a URI, a secret and a document of its own.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import grpc.aio
import httpx2
from google.cloud.firestore import AsyncClient
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.core import rpc
from localcloud.core.clock import ManualClock
from localcloud.firestore import Firestore
from localcloud.gemini import Gemini
from localcloud.gemini import Settings as GeminiSettings
from localcloud.gemini.webhook import Webhook
from localcloud.secretmanager import SecretManager
from relay.gcp.secrets import SecretVersions
from relay.gcp.store import FirestoreStore, Store
from relay.gemini.webhooks import GeminiWebhooks
from relay.registrar.controller import Controller
from relay.registrar.function import Handler
from relay.registrar.observer import Observer
from relay.registrar.settings import EVENTS, Settings
from relay.registrar.state import State, from_fields
from relay.registrar.vault import Vault
from tests.support.serving import serving

API_KEY = "AIza-test-key-that-nobody-may-see"
PROJECT = "test-project"


class Endpoint(httpx2.AsyncBaseTransport):
    """Where every delivery goes: to `app` if there is one, else it is just accepted."""

    app: Handler | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        app = self.app
        if app is None:
            return httpx2.Response(200)

        async def entry(received: Request) -> Response:
            return await app(received)

        routed = Starlette(routes=[Route("/{path:path}", entry, methods=["POST"])])
        return await httpx2.ASGITransport(routed).handle_async_request(request)


@dataclass
class World:
    """The outside of a registrar."""

    clock: ManualClock
    gemini: Gemini
    endpoint: "Endpoint"
    url: str
    webhooks: GeminiWebhooks
    firestore: AsyncClient
    secrets: SecretManagerServiceAsyncClient
    channel: grpc.aio.Channel
    firestore_channel: grpc.aio.Channel
    firestore_address: str
    secrets_address: str
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.time(), UTC)

    def store(self, collection: str, kind: type[FirestoreStore] = FirestoreStore) -> FirestoreStore:
        async def opened() -> grpc.aio.Channel:
            return self.firestore_channel

        return kind(opened, f"projects/{PROJECT}/databases/(default)", collection)

    async def site(self, **changes: Any) -> "Site":
        """Return a new place for a registrar, with an empty secret."""
        number = next(self.numbers)
        parent = f"projects/{PROJECT}"
        secret_id = f"signing-secret-{number}"
        secret: dict[str, Any] = {"replication": {"automatic": {}}}
        await self.secrets.create_secret(
            {"parent": parent, "secret_id": secret_id, "secret": secret}
        )
        settings = Settings(
            name="relay",
            uri=f"https://relay-{number}.example/",
            events=EVENTS,
            present=True,
            generation="g1",
            signing_secret=f"{parent}/secrets/{secret_id}",
            api_key=API_KEY,
            base_url=self.url,
            secret_manager_emulator=self.secrets_address,
            writers=frozenset(),
        )
        return Site(self, replace(settings, **changes), f"registrar-{number}")


@dataclass
class Site:
    """One registrar's place: its settings, document, webhook and secret."""

    world: World
    settings: Settings
    collection: str

    def store(self) -> FirestoreStore:
        return self.world.store(self.collection)

    def vault(self) -> Vault:
        async def opened() -> grpc.aio.Channel:
            return self.world.channel

        return Vault(SecretVersions(self.settings.signing_secret, opened, timeout=5.0, retry=True))

    def controller(self, strike: "Strike | None" = None) -> Controller:
        """Return a registrar as a new process would make it."""
        parts = (self.world.webhooks, self.vault(), self.store())
        struck = parts if strike is None else tuple(Struck(part, strike) for part in parts)
        return Controller(
            self.settings,
            cast("GeminiWebhooks", struck[0]),
            cast("Vault", struck[1]),
            cast("Store", struck[2]),
            self.world.now,
            lambda _seconds: asyncio.sleep(0.005),
        )

    def observer(self) -> Observer:
        return Observer(
            self.settings,
            self.world.webhooks,
            self.vault(),
            self.store(),
            lambda _seconds: asyncio.sleep(0.005),
        )

    async def state(self) -> State:
        found = await self.store().read("webhook")
        return State() if found is None else from_fields(found.fields)

    def registered(self) -> list[Webhook]:
        return [each for each in self.world.gemini.webhooks if each.uri == self.settings.uri]

    def register(self, **fields: Any) -> dict[str, Any]:
        """Register a webhook behind the registrar's back."""
        request = {"uri": self.settings.uri, "subscribed_events": ["batch.failed"], **fields}
        return self.world.gemini.webhooks.create(request)

    async def versions(self) -> dict[int, str]:
        """Return the enabled versions of the secret and what they hold."""
        found: dict[int, str] = {}
        request = {"parent": self.settings.signing_secret, "filter": "state:ENABLED"}
        async for version in await self.world.secrets.list_secret_versions(request):
            payload = await self.world.secrets.access_secret_version({"name": version.name})
            found[int(version.name.rpartition("/")[2])] = payload.payload.data.decode()
        return found

    async def check(self) -> None:
        """Assert what must hold after a converge, whatever happened before it."""
        (webhook,) = self.registered()
        assert webhook.name == self.settings.name
        assert set(webhook.subscribed_events) == set(self.settings.events)
        assert webhook.state == "enabled"
        versions = await self.versions()
        assert versions[max(versions)] == webhook.secrets[0].value
        state = await self.state()
        assert (state.pending, state.webhook_id) == ("", webhook.id)
        assert state.secret_version == max(versions)
        assert not state.ping_due
        report = await self.observer().look()
        assert (report.in_sync, report.reason) == (True, "")


class Killed(BaseException):
    """The process died: nothing of it runs any more, not even what cleans up."""


@dataclass
class Strike:
    """What happens at the `at`-th call to the outside, before or after it has its effect."""

    at: int = 0
    after: bool = False
    error: BaseException | None = None
    calls: list[str] = field(default_factory=list)
    dead: bool = False

    def fall(self, name: str, *, after: bool) -> None:
        if self.dead:
            raise Killed
        if not after:
            self.calls.append(name)
        if self.error is not None and len(self.calls) == self.at and self.after == after:
            self.dead = isinstance(self.error, Killed)
            raise self.error


class Struck:
    """A part of the outside, with a strike on its calls."""

    def __init__(self, target: object, strike: Strike) -> None:
        self._target = target
        self._strike = strike

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            self._strike.fall(name, after=False)
            result = await method(*arguments, **named)
            self._strike.fall(name, after=True)
            return result

        return call


@asynccontextmanager
async def world(set_variable: Callable[[str, str], None]) -> AsyncIterator[World]:
    """Start a world; `set_variable(name, value)` puts a variable into the environment."""
    clock = ManualClock()
    endpoint = Endpoint()
    # While the clock stands still, any number of deliveries may fail at the same moment.
    settings = GeminiSettings(
        api_keys=frozenset({API_KEY}), disable_after_failed_attempts=1_000_000
    )
    gemini = Gemini(clock, settings, transport=endpoint)
    firestore = Firestore(clock)
    secrets = SecretManager(clock)
    firestore_listener = await rpc.listen(firestore.services)
    secrets_listener = await rpc.listen(secrets.services)
    set_variable("FIRESTORE_EMULATOR_HOST", firestore_listener.address)
    channel = grpc.aio.insecure_channel(secrets_listener.address)
    firestore_channel = grpc.aio.insecure_channel(firestore_listener.address)
    grpc_transport = SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
    async with serving(gemini.app) as url:
        client = AsyncClient(project=PROJECT)
        made = World(
            clock=clock,
            gemini=gemini,
            endpoint=endpoint,
            url=url,
            webhooks=GeminiWebhooks(api_key=API_KEY, base_url=url),
            firestore=client,
            secrets=SecretManagerServiceAsyncClient(transport=grpc_transport),
            channel=channel,
            firestore_channel=firestore_channel,
            firestore_address=firestore_listener.address,
            secrets_address=secrets_listener.address,
        )
        try:
            yield made
        finally:
            await made.webhooks.close()
            client.close()
            await channel.close()
            await firestore_channel.close()
            await gemini.close()
    await firestore_listener.stop()
    await secrets_listener.stop()
    await firestore.close()
    await secrets.close()
