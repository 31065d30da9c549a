"""Publishing retained events again, under a key that the ledger does not know yet."""

import asyncio
import hashlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from hooks.bodies import body_type
from hooks.deadletter import REPLAYS
from hooks.errors import HooksError
from hooks.events.checkpoint import Checkpoint
from hooks.events.retained import Selection, received
from hooks.leases import LeasedMessage
from hooks.pace import Pace
from relay.errors import PublishRefused, PublishUnavailable
from relay.gcp.publisher import Publisher

_PUBLISH_SECONDS = 30.0
_BATCH = 500
_ID_TIME = "%Y%m%dT%H%M%SZ"

OnProgress = Callable[[int], None]
"""Called with the number of further messages that have been read."""


def replay_id(now: datetime) -> str:
    """Return a new replay's id, which begins with the time in UTC."""
    return f"{now:{_ID_TIME}}-{secrets.token_hex(4)}"


def replayed_at(replay: str) -> datetime | None:
    """Return the time of a replay that `replay_id` has named, None for any other id."""
    try:
        return datetime.strptime(replay.partition("-")[0], _ID_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def repeats(attributes: dict[str, str], replay: str, routes: Sequence[str]) -> list[dict[str, str]]:
    """Return the attributes of the messages that replay one: one message, or one per route.

    The ledger identifies an event by its key and `replay`, so each route has its own `replay`.
    The count of earlier dead-letter replays is dropped.
    """
    fresh = {name: value for name, value in attributes.items() if name != REPLAYS}
    if not routes:
        return [{**fresh, "replay": replay}]
    marks = [replay] if len(routes) == 1 else [f"{replay}/{route}" for route in routes]
    return [
        {**fresh, "replay": mark, "replay-route": route}
        for mark, route in zip(marks, routes, strict=True)
    ]


class Originals:
    """Picks the messages that a selection takes, each event once."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._seen: set[bytes] = set()

    def of(self, messages: Iterable[LeasedMessage]) -> Iterator[LeasedMessage]:
        """Yield the selected messages whose events have not been seen yet."""
        for message in messages:
            if self._selection.takes(message) and self._first(message):
                yield message

    def _first(self, message: LeasedMessage) -> bool:
        # Gemini repeats deliveries. A digest bounds the memory; a message without a key is poison.
        key = message.attributes.get("dedup-key", message.message_id)
        digest = hashlib.blake2b(key.encode(), digest_size=12).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True


class Source(Protocol):
    """Where messages come from: a subscription, or an archive."""

    async def pull(self, most: int) -> list[LeasedMessage]:
        """Return up to `most` more messages; none means that there are no more."""
        ...

    async def acknowledge(self, messages: Iterable[LeasedMessage]) -> None:
        """Mark messages as read."""
        ...


async def batches(
    source: Source, until: datetime, patience: int
) -> AsyncIterator[list[LeasedMessage]]:
    """Iterate over messages, batch by batch, until there are none from before `until`.

    New messages keep arriving, so `patience` batches in a row of nothing else end the iteration.
    """
    fruitless = 0
    while fruitless < patience and (found := await source.pull(_BATCH)):
        fruitless = 0 if any(received(each) < until for each in found) else fruitless + 1
        yield found


class EventReplayer:
    """Publishes a checkpoint's events to the ingress topic again, and updates the checkpoint.

    A message is acknowledged once Pub/Sub has confirmed its repeat. If `path` is None, messages are
    counted and nothing is published.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        source: Source,
        publisher: Publisher,
        pace: Pace,
        *,
        path: Path | None,
        patience: int,
        on_progress: OnProgress = lambda _count: None,
    ) -> None:
        self._checkpoint = checkpoint
        self._source = source
        self._publisher = publisher
        self._pace = pace
        self._path = path
        self._patience = patience
        self._on_progress = on_progress
        self.types: Counter[str] = Counter()
        self.ids: set[str] = set()

    async def run(self) -> None:
        """Replay until nothing is left.

        Raises `HooksError` if Pub/Sub does not confirm a message: unconfirmed messages are given
        back, and another run continues with them.
        """
        checkpoint = self._checkpoint
        originals = Originals(checkpoint.selection)
        until = datetime.fromisoformat(checkpoint.until)
        async for found in batches(self._source, until, self._patience):
            # The archive has added the file that it has just finished.
            self._save()
            chosen = list(originals.of(found))
            taken = {each.ack_id for each in chosen}
            await self._source.acknowledge(each for each in found if each.ack_id not in taken)
            for start in range(0, len(chosen), self._pace.batch):
                await self._take(chosen[start : start + self._pace.batch])
            checkpoint.scanned += len(found)
            self._save()
            self._on_progress(len(found))

    async def _take(self, chosen: Sequence[LeasedMessage]) -> None:
        self.types.update(body_type(each.data) for each in chosen)
        if self._checkpoint.ids:
            self.ids.update(each.attributes.get("webhook-id", "") for each in chosen)
        if self._path:
            await self._send(chosen)
        await self._source.acknowledge(chosen)
        self._checkpoint.replayed += len(chosen)
        self._save()

    async def _send(self, chosen: Sequence[LeasedMessage]) -> None:
        routes = self._checkpoint.routes
        repeated = [
            (each.data, attributes)
            for each in chosen
            for attributes in repeats(each.attributes, self._checkpoint.replay, routes)
        ]
        await self._pace.wait(len(repeated))
        sent = await asyncio.gather(
            *(self._publish(data, attributes) for data, attributes in repeated),
            return_exceptions=True,
        )
        for outcome in sent:
            if isinstance(outcome, PublishRefused):
                # Permanent: given back, the message would stop the next run too.
                self._checkpoint.refused += 1
            elif isinstance(outcome, PublishUnavailable):
                raise HooksError(f"Pub/Sub did not confirm a message: {outcome.reason}")
            elif isinstance(outcome, BaseException):
                raise outcome

    async def _publish(self, data: bytes, attributes: dict[str, str]) -> None:
        await self._publisher.publish(
            self._checkpoint.topic, data, attributes, timeout=_PUBLISH_SECONDS
        )

    def _save(self) -> None:
        if self._path:
            self._checkpoint.save(self._path)
