"""The embedded Pub/Sub as one object."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localcloud.core.clock import Clock
from localcloud.pubsub import state
from localcloud.pubsub.broker import Broker, Permit
from localcloud.pubsub.identity import shaped_identity_token
from localcloud.pubsub.publisher import PublisherService
from localcloud.pubsub.pull import Puller
from localcloud.pubsub.push import IdentityToken
from localcloud.pubsub.sender import HttpSender, Sender
from localcloud.pubsub.subscriber import SubscriberService

if TYPE_CHECKING:
    from localcloud.core.rpc import Service

PULL_WAIT_SECONDS = 5.0


def permit_everything(_project: str, _permission: str, _resource: str) -> bool:
    """Permit the service agents everything."""
    return True


class PubSub:
    """Pub/Sub in memory, on the event loop that first uses it.

    `services` are to be served with `localcloud.core.rpc.listen`; the methods in it may be called
    directly as well. `identity_token` makes the bearer tokens of pushes (by default one without a
    signature), `permit` answers for the rights of Pub/Sub's service agents (by default they have
    them all), `sender` makes the HTTP requests of pushes. `close` must be awaited.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        identity_token: IdentityToken | None = None,
        permit: Permit = permit_everything,
        sender: Sender | None = None,
        pull_wait_seconds: float = PULL_WAIT_SECONDS,
    ) -> None:
        self._http = HttpSender()
        self._broker = Broker(
            clock,
            identity_token=identity_token or shaped_identity_token(clock),
            sender=sender or self._http,
            permit=permit,
        )
        self.services: Mapping[str, Service] = {
            "google.pubsub.v1.Publisher": PublisherService(self._broker).methods(),
            "google.pubsub.v1.Subscriber": SubscriberService(
                self._broker, Puller(self._broker, pull_wait_seconds)
            ).methods(),
        }

    async def close(self) -> None:
        """Stop every push, stream and timer; return once no task is left on the loop."""
        await self._broker.close()
        await self._http.close()

    def mark(self) -> object:
        """Return what differs after any change that `dump` shows."""
        return state.mark(self._broker)

    def dump(self) -> Any:
        """Return all topics, subscriptions and messages as a JSON document."""
        return state.dump(self._broker)

    def restore(self, dumped: Any) -> None:
        """Take over what `dump` returned; nothing is pushed before `deliver` is called."""
        state.restore(self._broker, dumped)

    async def deliver(self) -> None:
        """Push what the restored subscriptions hold."""
        for subscription in tuple(self._broker.subscriptions.values()):
            await subscription.deliver()

    def published(self, topic: str) -> Sequence[Any]:
        """Return the newest messages of a topic (1000 at most), oldest first.

        They are `google.pubsub.v1.PubsubMessage`s and must not be changed. Raises `RpcError`
        (`NOT_FOUND`), as do the others here.
        """
        return [message.proto for message in self._broker.topic(topic).remembered]

    def published_count(self, topic: str) -> int:
        """Return how many messages a topic has ever taken."""
        return self._broker.topic(topic).published

    def backlog(self, subscription: str) -> int:
        """Return how many messages of a subscription are not acknowledged, leased ones included."""
        return self._broker.subscription(subscription).backlog.unacknowledged

    def leased(self, subscription: str) -> int:
        """Return how many messages of a subscription are leased."""
        return self._broker.subscription(subscription).backlog.leased
