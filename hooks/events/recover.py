"""What `hooks recover` does: it sends one subscriber alone what it missed.

Where the messages are retained, its own subscription is sought back in time. Otherwise its events
are made again from the ingress topic, and delivered by a temporary subscription as its own does.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from google.cloud.firestore import AsyncClient
from google.pubsub_v1 import SubscriberAsyncClient, Subscription
from google.pubsub_v1.types import SeekRequest

from hooks import connections, console, ledger
from hooks.deployment import DEAD_LETTER, INGRESS, Deployment
from hooks.display import counted, progress, wrapped
from hooks.errors import UsageError
from hooks.events import retained
from hooks.events.as_published import event_of
from hooks.events.own_topic import alone, explained
from hooks.events.replay import Originals, batches, replay_id
from hooks.events.retained import Selection
from hooks.leases import LeasedMessage
from hooks.pace import Pace
from localcloud.core.clock import SystemClock
from localcloud.pubsub.envelope import rfc3339
from localcloud.pubsub.filter_parser import parse_filter
from relay.dispatcher.event import Event
from relay.dispatcher.routes import EVENTS

SEEK, FROM_INGRESS = "seek", "ingress"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Whom to send what: the events received since a time in UTC.

    `subscriber` is the name of one, or the full name of a subscription. `rate` is in messages a
    second, 0 for no limit.
    """

    subscriber: str
    since: datetime
    rate: float
    dry_run: bool
    yes: bool


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What was done, `how`: `seek` or `ingress`.

    `events` is None where Pub/Sub counts them alone. `through` is the temporary subscription, and
    `replay` the attribute that its messages bear; both are empty for a seek.
    """

    subscription: str
    how: str
    since: str
    events: int | None = None
    through: str = ""
    replay: str = ""


async def recover(deployment: Deployment, options: Options, *, json: bool) -> bool:
    """Send a subscriber what it missed; return whether it did, or would with `dry_run`.

    Raises `UsageError` if the past is not retained or nobody can confirm, and `HooksError`.
    """
    name = options.subscriber
    if "/" not in name:
        name = deployment.subscriber(name)["subscription"]
    async with connections.subscriber(deployment.pubsub) as client:
        with explained(name):
            found = await client.get_subscription(subscription=name)
        if _retains(found, datetime.now(UTC) - options.since):
            done = await _seek(client, found, options, json=json)
        else:
            done = await _Ingress(deployment, client, found, options).send(json=json)
    if done:
        _show(found, done, dry_run=options.dry_run, json=json)
    return done is not None


def _retains(subscription: Subscription, age: timedelta) -> bool:
    """Tell whether a subscription can be sought back to messages that are so old."""
    of_topic = subscription.topic_message_retention_duration or timedelta(0)
    own = subscription.message_retention_duration or timedelta(0)
    return age <= of_topic or (subscription.retain_acked_messages and age <= own)


async def _seek(
    client: SubscriberAsyncClient, found: Subscription, options: Options, *, json: bool
) -> Recovered | None:
    since = options.since.isoformat(timespec="seconds")
    if not options.dry_run:
        # Pub/Sub does both at once: https://cloud.google.com/pubsub/docs/replay-overview
        action = (
            f"have {found.name} deliver everything since {since} again, and drop what it has not"
            " acknowledged from before"
        )
        if not await asyncio.to_thread(console.confirmed, action, yes=options.yes, json=json):
            return None
        with explained(found.name):
            await client.seek(SeekRequest(subscription=found.name, time=options.since))
    return Recovered(subscription=found.name, how=SEEK, since=since)


class _Ingress:
    """Events from the ingress topic, on their way to one subscriber."""

    def __init__(
        self,
        deployment: Deployment,
        client: SubscriberAsyncClient,
        found: Subscription,
        options: Options,
    ) -> None:
        self._deployment = deployment
        self._client = client
        self._found = found
        self._options = options
        self._route = _route(deployment, found)
        self._filter = parse_filter(found.filter)
        self._pace = Pace(options.rate, SystemClock())
        self._mark = secrets.token_hex(6)
        self._events = 0
        self._now = datetime.now(UTC)
        self._replay = replay_id(self._now)

    async def send(self, *, json: bool) -> Recovered:
        """Publish the events to a temporary topic, or only count them."""
        name = f"hooks-recover-{self._found.name.rpartition('/')[2]}-{self._mark}"
        async with alone(self._deployment, self._client, self._found, name) as own:
            publish = _nothing if self._options.dry_run else own.publish
            with progress("recovering", shown=not json) as advance:
                async with contextlib.aclosing(self._chosen()) as batched:
                    async for chosen in batched:
                        await self._pace.wait(len(chosen))
                        await asyncio.gather(*map(publish, chosen))
                        self._events += len(chosen)
                        advance(len(chosen))
        return Recovered(
            subscription=self._found.name,
            how=FROM_INGRESS,
            since=self._options.since.isoformat(timespec="seconds"),
            events=self._events,
            through=own.subscription,
            replay=self._replay if own.subscription else "",
        )

    async def _chosen(self) -> AsyncGenerator[Sequence[Event]]:
        now, since = self._now, self._options.since
        kept = await retained.retention(self._deployment)
        if since < now - kept:
            console.err.print(
                f"{self._deployment.ingress} retains {kept}: what is older is not sent",
                style="yellow",
            )
        originals = Originals(Selection(since=since, until=now))
        start = retained.earliest(now, kept, since)
        reading = f"projects/{self._deployment.project}/subscriptions/hooks-replay-{self._mark}"
        try:
            async with (
                connections.ledger(self._deployment) as entries,
                retained.reading(self._deployment, reading, start) as leases,
            ):
                async for messages in batches(leases, now, leases.patience):
                    wanted = filter(None, map(self._wanted, originals.of(messages)))
                    chosen = [each for each in wanted if await self._was_routed(entries, each)]
                    for begin in range(0, len(chosen), self._pace.batch):
                        yield chosen[begin : begin + self._pace.batch]
                    await leases.acknowledge(messages)
        finally:
            await retained.delete(self._deployment, reading)

    def _wanted(self, message: LeasedMessage) -> Event | None:
        published = rfc3339(message.published)
        attributes = {**message.attributes, "replay": self._replay}
        event = event_of(self._deployment, message.data, attributes, published)
        return event if event and self._filter.matches(event.attributes) else None

    async def _was_routed(self, entries: AsyncClient, event: Event) -> bool:
        # Every event goes to the events topic. The ledger says which other routes one has taken.
        if self._route == EVENTS:
            return True
        original = event.key.removesuffix(f"\n{self._replay}")
        entry = await ledger.entry_of(entries, original)
        return entry is not None and self._route in (entry.get("routes_done") or ())


async def _nothing(_event: Event) -> None:
    pass


def _route(deployment: Deployment, found: Subscription) -> str:
    names = {topic: name for name, topic in deployment.topics.items()}
    route = names.get(found.topic, "")
    if route in ("", INGRESS, DEAD_LETTER):
        raise UsageError(
            f"{found.name} reads {found.topic}, which retains nothing of that time and is no topic"
            " of events: nothing can be recovered"
        )
    return route


def _show(found: Subscription, done: Recovered, *, dry_run: bool, json: bool) -> None:
    if json:
        console.print_json({"dry_run": dry_run, **asdict(done)})
        return
    for text in _told(found, done, dry_run=dry_run):
        console.out.print(wrapped(text, "", console.width()), markup=False)


def _told(found: Subscription, done: Recovered, *, dry_run: bool) -> Sequence[str]:
    if done.how == SEEK:
        # Pub/Sub does both at once: https://cloud.google.com/pubsub/docs/replay-overview
        deliver, drop = ("would deliver", "would drop") if dry_run else ("delivers", "has dropped")
        told = f"{deliver} everything since {done.since} again, and {drop} what it had not"
        return [done.subscription, f"{told} acknowledged from before"]
    events = counted(done.events or 0, "event")
    if dry_run or not done.events:
        return [f"{events} would be sent to", f"{done.subscription} alone"]
    marked = f"{events}, marked as the replay {done.replay}, go through"
    return [marked, done.through, *_next(found, done.through)]


def _next(found: Subscription, through: str) -> Sequence[str]:
    pushed = found.push_config.push_endpoint
    if pushed:
        return [f"to {pushed}, and to nobody else; it expires a day after the last delivery"]
    if found.bigquery_config.table or found.cloud_storage_config.bucket:
        return ["to where the subscriber's own go; it expires a day after the last delivery"]
    short = through.rpartition("/")[2]
    grant = f"gcloud pubsub subscriptions add-iam-policy-binding {short}"
    reader = "--role=roles/pubsub.subscriber --member=serviceAccount:ACCOUNT"
    told = (
        "Nobody reads it yet: have the subscriber read it once beside its own. It expires a day"
        " after that. In a deployment, the subscriber needs the right to:"
    )
    return [told, f"{grant} {reader}"]
