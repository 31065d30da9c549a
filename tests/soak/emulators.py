"""The embedded emulators of a soak: struck on order, with a journal of what they store."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import grpc

from localcloud.core.clock import SystemClock
from localcloud.core.rpc import Call, Method, RpcError, Service
from localcloud.firestore import Firestore
from localcloud.pubsub import PubSub
from localcloud.pubsub.envelope import PushRequest
from localcloud.pubsub.sender import HttpSender
from localcloud.secretmanager import SecretManager
from tests.soak.plan import Event
from tests.soak.schedule import Fault

_PUBLISH = "google.pubsub.v1.Publisher/Publish"
METHODS: Mapping[str, tuple[str, ...]] = {
    "pubsub": (_PUBLISH,),
    "firestore": (
        "google.firestore.v1.Firestore/BatchWrite",
        "google.firestore.v1.Firestore/BatchGetDocuments",
    ),
    "secretmanager": (
        "google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion",
        "google.cloud.secretmanager.v1.SecretManagerService/ListSecretVersions",
    ),
}
"""The methods of each service that a strike hits."""

# Lists and `latest` are behind by as much as Secret Manager's may be.
_LIST_LAG_SECONDS = 3600.0

# A hang ends with the caller's patience; this is for a caller that has none.
_LONGEST_HANG = 120.0

_CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.PERMISSION_DENIED,
)


@dataclass
class _Strike:
    service: str
    fault: Fault
    left: int


@dataclass
class Faults:
    """Strikes the next calls of a service. `struck` counts them by service and fault.

    `refuse` ends a call before it has an effect, `hang` keeps it from having one until the caller
    gives up, `lose-reply` lets it have its effect and ends it as though it had none.
    """

    struck: Counter[str] = field(default_factory=Counter)
    _strikes: list[_Strike] = field(default_factory=list)

    def order(self, service: str, fault: Fault, calls: int) -> None:
        """Strike so many calls of a service, `pubsub`, `firestore` or `secretmanager`."""
        self._strikes.append(_Strike(service, fault, calls))

    def clear(self) -> None:
        """Strike no more."""
        self._strikes.clear()

    async def guard(self, call: Call) -> None:
        """Strike a call before its effect, if it is its turn."""
        strike = self._take(call.method, ("refuse", "hang"))
        if strike is None:
            return
        if strike.fault == "hang":
            await asyncio.sleep(_LONGEST_HANG)
        raise RpcError(_CODES[strike.left % len(_CODES)], "struck by the soak")

    def after(self, method: str) -> None:
        """Strike a call that has had its effect, if it is its turn."""
        if self._take(method, ("lose-reply",)):
            raise RpcError(grpc.StatusCode.UNAVAILABLE, "its reply was lost")

    def _take(self, method: str, faults: tuple[Fault, ...]) -> _Strike | None:
        for strike in self._strikes:
            if strike.fault in faults and method in METHODS[strike.service]:
                strike.left -= 1
                if not strike.left:
                    self._strikes.remove(strike)
                self.struck[f"{strike.service} {strike.fault}"] += 1
                return strike
        return None


class Journal:
    """What Pub/Sub has stored: how often, by topic and event id, and bodies not as they were sent.

    `topics` maps full names to those that the journal uses.
    """

    def __init__(self, events: Mapping[str, Event], topics: Mapping[str, str]) -> None:
        self.copies: dict[str, Counter[str]] = {name: Counter() for name in topics.values()}
        self.altered: list[str] = []
        self._bodies = {each.id: _digest(each.body) for each in events.values()}
        self._topics = topics

    async def store(self, request: Any) -> None:
        """Enter the messages of a `PublishRequest` that has taken effect."""
        topic = self._topics[request.topic]
        for message in request.messages:
            attributes = message.attributes
            identifier = attributes["webhook-id" if topic == "ingress" else "ce-id"]
            self.copies[topic][identifier] += 1
            if self._bodies.get(identifier) != _digest(message.data):
                self.altered.append(identifier)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=8).digest()


class Balancer:
    """Pushes to the instance of a function that has the fewest requests, as Cloud Run would.

    `urls` are the instances. One that is dead keeps what it has, and gets no more than its share.
    """

    def __init__(self) -> None:
        self.urls: list[str] = []
        self._open: Counter[str] = Counter()
        self._send = HttpSender()

    async def __call__(self, request: PushRequest) -> int:
        url = min(self.urls, key=self._open.__getitem__)
        self._open[url] += 1
        try:
            return await self._send(replace(request, url=url))
        finally:
            self._open[url] -= 1

    async def close(self) -> None:
        """Close the connections."""
        await self._send.close()


class Emulators:
    """Pub/Sub, Firestore and Secret Manager; `services` is what `rpc.listen` serves.

    `stored` is told each `PublishRequest` that has taken effect, before its caller is.
    """

    def __init__(self, stored: Callable[[Any], Awaitable[None]]) -> None:
        clock = SystemClock()
        self.faults = Faults()
        self.balancer = Balancer()
        self.pubsub = PubSub(clock, sender=self.balancer)
        self.firestore = Firestore(clock)
        self.secret_manager = SecretManager(clock, list_lag_seconds=_LIST_LAG_SECONDS)
        self._stored = stored
        emulators = (self.pubsub, self.firestore, self.secret_manager)
        self.services: dict[str, Service] = {
            name: {
                method: self._struck(f"{name}/{method}", definition)
                for method, definition in service.items()
            }
            for emulator in emulators
            for name, service in emulator.services.items()
        }

    async def close(self) -> None:
        """Stop all of them."""
        await self.pubsub.close()
        await self.balancer.close()
        await self.firestore.close()
        await self.secret_manager.close()

    async def ledger(self, project: str) -> dict[str, tuple[str, frozenset[str]]]:
        """Return the ledger by event id: the state and the routes done."""
        method = self.firestore.services["google.firestore.v1.Firestore"]["RunQuery"]
        parent = f"projects/{project}/databases/(default)/documents"
        request = method.request(parent=parent)  # type: ignore[call-arg]
        query: Any = request
        query.structured_query.from_.add(collection_id="deliveries")
        found = {}
        async for reply in method.handler(request):
            fields = reply.document.fields
            if fields:
                routes = fields["routes_done"].array_value.values
                done = frozenset(each.string_value for each in routes)
                found[fields["id"].string_value] = (fields["state"].string_value, done)
        return found

    def _struck(self, name: str, method: Method) -> Method:
        if method.kind != "unary_unary":
            return method

        async def handler(request: Any) -> Any:
            reply = await method.handler(request)
            if name == _PUBLISH:
                await self._stored(request)
            self.faults.after(name)
            return reply

        return Method(method.kind, method.request, method.reply, handler)
