"""A deployment in this process: embedded Pub/Sub and Firestore, the real worker, the command."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud.firestore import AsyncClient
from google.pubsub_v1 import types
from typer.main import get_command
from typer.testing import CliRunner, Result

from hooks.cli import app
from hooks.deployment import Deployment, Where, find
from localcloud.core import rpc
from localcloud.core.clock import Clock, ManualClock, SystemClock
from localcloud.core.rpc import Call, RpcError
from localcloud.firestore import Firestore
from localcloud.firestore.indexes import Indexes, described
from localcloud.laptop.names import Names
from localcloud.laptop.provision import PushTimes, provision
from localcloud.pubsub import PubSub
from localcloud.pubsub.envelope import PushRequest
from relay.dispatcher import fanout, worker
from relay.dispatcher.claims import Terms
from relay.dispatcher.routes import Route
from relay.dispatcher.settings import Settings
from relay.dispatcher.worker import Outcome, Worker
from relay.errors import Unavailable
from relay.gcp.publisher import create_publisher
from relay.gcp.store import create_store
from relay.jobs import DELIVERIES
from relay.web import push

PROJECT = "my-project"
NAMES = Names(PROJECT)
BLUE = NAMES.topic("route-blue")
DATABASE = "gemini-webhooks"
DISPATCHER = "http://dispatch"
ROUTES = (Route("events", NAMES.events), Route("blue", BLUE, ("batch.*",)))
_DONE = {Outcome.DONE, Outcome.DUPLICATE, Outcome.DEAD_LETTERED}
OUTPUTS: dict[str, Any] = {
    "project": PROJECT,
    "topics": {
        "ingress": NAMES.ingress,
        "events": NAMES.events,
        "blue": BLUE,
        "dead-letter": NAMES.dead_letter,
    },
    "dead_letter_subscription": NAMES.dead_letters,
    "ledger_database": DATABASE,
    "webhook_url": "https://receive.example",
    "registrar_url": "https://registrar.example",
    "subscriptions": {},
}


@pytest.fixture(scope="session", autouse=True)
def commands_made_once() -> Iterator[None]:
    """Let typer make the command line of an app once, not for every call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the functions' logs out of what the command prints."""
    for module in (worker, fanout):
        monkeypatch.setattr(module, "log", lambda *_args, **_fields: None)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """What `terraform output -json` writes."""
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({name: {"value": value} for name, value in OUTPUTS.items()}))
    return path


@dataclass
class Relay:
    """A deployment whose dispatcher runs in this process; `refuse` is asked about every
    call, `watch` told of it.

    `down` makes the dispatcher answer 503 to every push.
    """

    clock: Clock
    outputs: Path
    pubsub: PubSub = field(init=False)
    address: str = field(init=False)
    down: bool = False
    refuse: Callable[[Call], bool] = lambda _call: False
    watch: Callable[[Call], None] = lambda _call: None
    pushes: Counter[int] = field(default_factory=Counter)
    pushed: list[PushRequest] = field(default_factory=list)
    handling: int = 0
    worker: Worker | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {"PUBSUB_EMULATOR_HOST": self.address, "FIRESTORE_EMULATOR_HOST": self.address}

    @property
    def deployment(self) -> Deployment:
        return find(Where(outputs=self.outputs), self.environ)

    async def guard(self, call: Call) -> None:
        self.watch(call)
        if self.refuse(call):
            raise RpcError(grpc.StatusCode.PERMISSION_DENIED, "an outage")

    async def take(self, request: PushRequest) -> int:
        """Answer a push as the dispatcher does; one to another endpoint is `pushed`."""
        if request.url != DISPATCHER:
            self.pushed.append(request)
            return 204
        self.handling += 1
        try:
            status = await self._answer(request)
        finally:
            self.handling -= 1
        self.pushes[status] += 1
        return status

    async def _answer(self, request: PushRequest) -> int:
        if self.down or self.worker is None:
            return 503
        try:
            outcome = await self.worker.handle(push.parse(request.headers, request.body))
        except Unavailable:
            return 503
        return 204 if outcome in _DONE else 503

    async def call(self, method: str, request: Any) -> Any:
        """Call a method of the embedded Pub/Sub."""
        for service in self.pubsub.services.values():
            if method in service:
                return await service[method].handler(type(request).pb(request))
        raise LookupError(method)

    async def publish(self, topic: str, data: bytes, **attributes: str) -> None:
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        message = types.PubsubMessage(data=data, attributes=named)
        await self.call("Publish", types.PublishRequest(topic=topic, messages=[message]))

    async def receive_body(self, body: bytes, number: int, **attributes: str) -> str:
        """Store a delivery with that body as the receiver does, and return its id."""
        identifier = f"evt_{number}"
        now = datetime.fromtimestamp(self.clock.time(), UTC)
        given = {
            "webhook_id": identifier,
            "dedup_key": identifier,
            "scheme": "v1",
            "received_at": f"{now:%Y-%m-%dT%H:%M:%S}.000Z",
        }
        await self.publish(NAMES.ingress, body, **given | attributes)
        return identifier

    async def receive(self, number: int, kind: str = "batch.succeeded", **attributes: str) -> str:
        """Store an event as the receiver does, and return its id."""
        body = {"type": kind, "data": {"id": f"job_{number}"}}
        return await self.receive_body(json.dumps(body).encode(), number, **attributes)

    async def create_topic(self, suffix: str) -> None:
        await self.call("CreateTopic", types.Topic(name=NAMES.topic(suffix)))

    async def subscribe(self, suffix: str, topic: str, **fields: Any) -> None:
        name = NAMES.subscription(suffix)
        subscription = types.Subscription(name=name, topic=topic, **fields)
        await self.call("CreateSubscription", subscription)

    async def delete_subscription(self, name: str) -> None:
        await self.call("DeleteSubscription", types.DeleteSubscriptionRequest(subscription=name))

    async def subscriptions(self) -> list[str]:
        request = types.ListSubscriptionsRequest(project=f"projects/{PROJECT}", page_size=1000)
        listed = await self.call("ListSubscriptions", request)
        return [each.name for each in listed.subscriptions]

    async def retain_nothing(self) -> None:
        """Have the ingress topic keep no messages."""
        request = types.UpdateTopicRequest(
            topic=types.Topic(name=NAMES.ingress),
            update_mask={"paths": ["message_retention_duration"]},
        )
        await self.call("UpdateTopic", request)

    async def attempts(self, number: int) -> None:
        """Have the ingress subscription give up after so many attempts."""
        policy = types.DeadLetterPolicy(
            dead_letter_topic=NAMES.dead_letter, max_delivery_attempts=number
        )
        request = types.UpdateSubscriptionRequest(
            subscription=types.Subscription(name=NAMES.dispatch, dead_letter_policy=policy),
            update_mask={"paths": ["dead_letter_policy"]},
        )
        await self.call("UpdateSubscription", request)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once the embedded Pub/Sub, which tells only when asked, is in that state."""
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Return once no push is being handled."""
        await asyncio.sleep(0)
        await self.until(lambda: not self.handling)

    async def dispatched(self) -> None:
        """Return once the ingress subscription owes nothing."""
        await self.until(lambda: not self.pubsub.backlog(NAMES.dispatch))

    async def pass_time(self, seconds: float, step: float = 10.0) -> None:
        """Let a manual clock move on, every push that falls due being handled."""
        assert isinstance(self.clock, ManualClock)
        for _ in range(int(seconds / step)):
            await self.clock.advance(step)
            await self.settle()

    def fanned_out(self, topic: str) -> Counter[str]:
        """Count a topic's messages by their events."""
        return Counter(each.attributes["ce-id"] for each in self.pubsub.published(topic))

    def messages(self, topic: str) -> list[tuple[dict[str, str], bytes]]:
        return [(dict(each.attributes), each.data) for each in self.pubsub.published(topic)]

    @property
    def dead(self) -> int:
        """How many dead letters there are."""
        return self.pubsub.backlog(NAMES.dead_letters)

    async def invoke(
        self, *arguments: str, outputs: str | None = None, columns: int = 200
    ) -> Result:
        """Run the command, in a thread of its own, against this deployment."""
        where = str(self.outputs) if outputs is None else outputs
        environ = {**self.environ, "HOOKS_OUTPUTS": where, "COLUMNS": str(columns)}

        def run() -> Result:
            return CliRunner().invoke(app, list(arguments), env=environ)

        return await asyncio.to_thread(run)

    async def hooks(self, *arguments: str, status: int = 0) -> Any:
        """Run the command with `--json`; return what it printed, once it ended as expected."""
        result = await self.invoke(*arguments, "--json")
        if result.exit_code != status:
            raise AssertionError(result.output) from result.exception
        return json.loads(result.stdout)


@contextlib.asynccontextmanager
async def relaying(
    clock: Clock, outputs: Path, times: PushTimes | None = None
) -> AsyncIterator[Relay]:
    """Run a deployment while the block lasts, its times those of a real one."""
    relay = Relay(clock, outputs)
    relay.pubsub = PubSub(clock, sender=relay.take)
    firestore = Firestore(clock, indexed=lambda _database, _group: declared_indexes())
    services = {**relay.pubsub.services, **firestore.services}
    listener = await rpc.listen(services, guard=relay.guard)
    relay.address = listener.address
    try:
        topics = [route.topic for route in ROUTES]
        async with (
            provision(NAMES, relay.address, endpoint=DISPATCHER, topics=topics, times=times),
            _worker(relay) as handler,
        ):
            relay.worker = handler
            yield relay
    finally:
        await relay.pubsub.close()
        await listener.stop()
        await firestore.close()


def declared_indexes() -> Indexes:
    """Return the indexes of the ledger that Terraform declares."""
    composite = {
        "queryScope": "COLLECTION",
        "fields": [
            {"fieldPath": "shard", "order": "ASCENDING"},
            {"fieldPath": "received_at", "order": "DESCENDING"},
        ],
    }
    bare = [
        {"name": f"x/fields/{name}", "indexConfig": {}}
        for name in ("expire_at", "lease_until", "received_at")
    ]
    return described([composite], bare)


@contextlib.asynccontextmanager
async def _worker(relay: Relay) -> AsyncIterator[Worker]:
    publisher = create_publisher(relay.environ)
    settings = Settings(PROJECT, NAMES.dead_letter, ROUTES, Terms())
    environ = relay.environ | {"GOOGLE_CLOUD_PROJECT": PROJECT, "FIRESTORE_DATABASE": DATABASE}
    store = create_store(environ, DELIVERIES)

    def now() -> datetime:
        return datetime.fromtimestamp(relay.clock.time(), UTC)

    yield Worker(settings, store, publisher, now)
    await store.close()
    await publisher.close()


@contextlib.asynccontextmanager
async def firestore(address: str) -> AsyncIterator[AsyncClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", address)
        client = AsyncClient(project=PROJECT, database=DATABASE)
    yield client
    await client._firestore_api.transport.close()


@pytest.fixture
async def relay(outputs: Path) -> AsyncIterator[Relay]:
    """A deployment on the machine's clock, which retries soon."""
    times = PushTimes(minimum_backoff=0.05, maximum_backoff=0.2)
    async with relaying(SystemClock(), outputs, times) as running:
        yield running


def manual_clock() -> ManualClock:
    """Return a clock that stands still some hours ago, so that moving it stays in the past."""
    return ManualClock(time.time() - 6 * 3600)


def ids(found: Mapping[str, Any], of: str) -> Sequence[str]:
    """Return the ids of the events in what the command printed."""
    return [each["id"] for each in found[of]]
