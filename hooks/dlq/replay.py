"""Publishing the dead letters of one subscription to the topic that they came from."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hooks.deadletter import MOST_REPLAYS, DeadLetter, Selection, replayed
from hooks.dlq.queue import selected
from hooks.leases import Leases
from hooks.pace import Pace
from relay.errors import PublishRefused, PublishUnavailable
from relay.gcp.publisher import Publisher

_PUBLISH_SECONDS = 30.0

OnProgress = Callable[[int], None]
"""Called with the number of further dead letters that have been processed."""


@dataclass
class Replayed:
    """The outcome of a replay, by Pub/Sub's id of each selected dead letter.

    `done` have been published. The rest are still dead letters: `exhausted` have been replayed
    `MOST_REPLAYS` times, `returned` came back during this run, and `failed` maps those that Pub/Sub
    refused to its reason. `missing` are the selected ids that have no dead letter.
    """

    done: list[str] = field(default_factory=list)
    exhausted: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every selected dead letter has been published."""
        return not (self.exhausted or self.returned or self.failed or self.missing)


class Replayer:
    """Publishes dead letters to `topic`, and acknowledges each once Pub/Sub has confirmed that.

    After a crash in between, both exist, and the ledger drops an event that is fanned out already.
    `force` also replays dead letters that have been replayed `MOST_REPLAYS` times.
    """

    def __init__(
        self,
        leases: Leases,
        publisher: Publisher,
        topic: str,
        pace: Pace,
        *,
        force: bool = False,
        on_progress: OnProgress = lambda _count: None,
    ) -> None:
        self._leases = leases
        self._publisher = publisher
        self._topic = topic
        self._pace = pace
        self._force = force
        self._on_progress = on_progress
        self._sent: Counter[str] = Counter()
        self.result = Replayed()

    async def run(self, selection: Selection, *, limit: int) -> Replayed:
        """Replay up to `limit` selected dead letters, and return the outcome."""
        batch: list[DeadLetter] = []
        chosen = 0
        missing = set(selection.ids)
        async for letter in selected(self._leases, selection):
            missing -= {letter.id, letter.event_id}
            if not self._may_go(letter):
                continue
            batch.append(letter)
            chosen += 1
            if len(batch) == self._pace.batch or chosen == limit:
                await self._send(batch)
                batch = []
            if chosen == limit:
                break
        await self._send(batch)
        self.result.missing = sorted(missing) if chosen < limit else []
        return self.result

    def _may_go(self, letter: DeadLetter) -> bool:
        # A dead letter that comes back during the run would be replayed without end.
        identity = letter.key or hashlib.sha256(letter.message.data).hexdigest()
        if letter.replays and letter.replays <= self._sent[identity]:
            self.result.returned.append(letter.id)
            return False
        if letter.replays >= MOST_REPLAYS and not self._force:
            self.result.exhausted.append(letter.id)
            return False
        self._sent[identity] = max(self._sent[identity], letter.replays + 1)
        return True

    async def _send(self, batch: Sequence[DeadLetter]) -> None:
        if not batch:
            return
        await self._pace.wait(len(batch))
        sent = await asyncio.gather(*(self._publish(letter) for letter in batch))
        confirmed = [letter for letter, done in zip(batch, sent, strict=True) if done]
        await self._leases.acknowledge([letter.message for letter in confirmed])
        self.result.done += [letter.id for letter in confirmed]
        self._on_progress(len(batch))

    async def _publish(self, letter: DeadLetter) -> bool:
        try:
            await self._publisher.publish(
                self._topic, letter.message.data, replayed(letter), timeout=_PUBLISH_SECONDS
            )
        except PublishRefused as refused:
            self.result.failed[letter.id] = refused.detail
        except PublishUnavailable as failure:
            self.result.failed[letter.id] = failure.reason
        else:
            return True
        return False
