"""Reading, replaying and purging the dead letters of one subscription."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from hooks.dlq.deadletters import MOST_REPLAYS, DeadLetter, Selection, read, replayed
from hooks.dlq.holding import Holding
from hooks.pace import Pace
from relay.errors import PublishRefused, PublishUnavailable
from relay.gcp.publisher import Publisher

_PUBLISH_SECONDS = 30.0

OnProgress = Callable[[int], None]
"""Told how many more dead letters have been dealt with."""


@dataclass
class Replayed:
    """What became of the dead letters that were meant, by Pub/Sub's id of each.

    `exhausted` have been replayed too often, `returned` came back during this very run, and
    `failed` says why Pub/Sub did not take a message: all of these are still dead letters.
    """

    done: list[str] = field(default_factory=list)
    exhausted: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every dead letter that was meant went back."""
        return not (self.exhausted or self.returned or self.failed)


async def selected(holding: Holding, selection: Selection) -> AsyncIterator[DeadLetter]:
    """Iterate over the dead letters that are meant, holding all of them, and the others too."""
    wanted = set(selection.ids)
    async for held in holding.messages():
        letter = read(held)
        if selection.takes(letter):
            yield letter
        # Pub/Sub's own ids are unique: once all are found, the rest need not be looked at.
        wanted.discard(letter.id)
        if selection.ids and not wanted:
            return


async def listed(
    holding: Holding, selection: Selection, limit: int
) -> tuple[list[DeadLetter], bool]:
    """Return up to `limit` dead letters, oldest first, and whether there are more."""
    found: list[DeadLetter] = []
    async for letter in selected(holding, selection):
        found.append(letter)
        if len(found) > limit:
            break
    shown = sorted(found[:limit], key=lambda letter: letter.died)
    return shown, len(found) > limit


class Replayer:
    """Sends dead letters back to `topic`, each acknowledged once Pub/Sub has confirmed its copy.

    A crash in between leaves both: the ledger then drops what has been fanned out already.
    `force` replays also what has been replayed too often.
    """

    def __init__(
        self,
        holding: Holding,
        publisher: Publisher,
        topic: str,
        pace: Pace,
        *,
        force: bool = False,
        on_progress: OnProgress = lambda _count: None,
    ) -> None:
        self._holding = holding
        self._publisher = publisher
        self._topic = topic
        self._pace = pace
        self._force = force
        self._on_progress = on_progress
        self._sent: Counter[str] = Counter()
        self.result = Replayed()

    async def run(self, selection: Selection, *, limit: int) -> Replayed:
        """Replay up to `limit` dead letters that are meant, and tell what became of them."""
        batch: list[DeadLetter] = []
        chosen = 0
        async for letter in selected(self._holding, selection):
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
        return self.result

    def _may_go(self, letter: DeadLetter) -> bool:
        # What was replayed a moment ago and is dead again would go round for as long as we look.
        identity = letter.key or hashlib.sha256(letter.held.data).hexdigest()
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
        await self._holding.acknowledge([letter.held for letter in confirmed])
        self.result.done += [letter.id for letter in confirmed]
        self._on_progress(len(batch))

    async def _publish(self, letter: DeadLetter) -> bool:
        try:
            await self._publisher.publish(
                self._topic, letter.held.data, replayed(letter), timeout=_PUBLISH_SECONDS
            )
        except PublishRefused as refused:
            self.result.failed[letter.id] = refused.detail
        except PublishUnavailable as failure:
            self.result.failed[letter.id] = failure.reason
        else:
            return True
        return False


async def purge(
    holding: Holding, selection: Selection, confirmed: Callable[[int], Awaitable[bool]]
) -> int:
    """Delete the dead letters that are meant, if that is `confirmed`; return how many went."""
    # Without their payloads: there may be many.
    found = [replace(letter.held, data=b"") async for letter in selected(holding, selection)]
    if not found or not await confirmed(len(found)):
        return 0
    await holding.acknowledge(found)
    return len(found)
