"""Events on their way from subscriptions to a URL."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hooks.events.listen.forward import Answer, Forwarder, OnAnswer
from hooks.events.listen.record import Record
from hooks.subscription import Listener, Received

_AT_ONCE = 8


@dataclass(frozen=True)
class Feed:
    """A subscription, and `read`, which returns the event of a message, None to leave it out."""

    listener: Listener
    read: Callable[[Received], Received | None]


class Delivering:
    """Sends events, a few at a time, and acknowledges those that are accepted.

    Any other is given back, so that Pub/Sub delivers it again. Each answer is passed to
    `on_answer`. It ends after `count` accepted events, 0 for no end.
    """

    def __init__(self, forwarder: Forwarder, record: Record, count: int) -> None:
        self.on_answer: OnAnswer = _nothing
        self._forwarder = forwarder
        self._record = record
        self._left = count or -1
        self._waiting: asyncio.Queue[Received] = asyncio.Queue()
        self._attempts: Counter[str] = Counter()
        self._ended = asyncio.Event()

    def again(self, message: Received) -> None:
        """Send an event once more, whatever became of it."""
        self._waiting.put_nowait(replace(message, settle=_nothing))

    async def run(self, feeds: Sequence[Feed]) -> None:
        """Send what the subscriptions deliver; raises what breaks one of them off."""
        work = [*map(self._read, feeds), *(self._send() for _ in range(_AT_ONCE))]
        tasks = [asyncio.ensure_future(each) for each in (*work, self._ended.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, feed: Feed) -> None:
        async for message in feed.listener:
            event = feed.read(message)
            if event is None:
                message.settle(True)
            else:
                self._waiting.put_nowait(event)

    async def _send(self) -> None:
        while True:
            message = await self._waiting.get()
            self._attempts[message.message_id] += 1
            attempt = self._attempts[message.message_id]
            if attempt == 1:
                self._record.add(message, self._forwarder.url, self._forwarder.project)
            answer = await self._forwarder.forward(message, attempt)
            message.settle(answer.accepted)
            self.on_answer(answer)
            self._left -= answer.accepted
            if not self._left:
                self._ended.set()


def _nothing(_answer: Answer | bool) -> None:
    pass
