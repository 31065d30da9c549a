"""The demo's listeners: real subscribers on every topic that an event may reach."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from hooks.errors import HooksError
from hooks.subscription import Listener, Received, listening

SUBSCRIBER = "subscriber"
"""The name of the listener that a service would run: on the events topic, with a filter."""

OnMessage = Callable[[str, Received], None]


@dataclass
class Audience:
    """The messages of each listener, by its name: a topic's short name, or `SUBSCRIBER`."""

    heard: dict[str, list[Received]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _broken: HooksError | None = None

    def ids(self, name: str) -> Counter[str]:
        """Count a listener's messages by the id of their event."""
        return Counter(event_id(message) for message in self.heard[name])

    async def until(self, satisfied: Callable[[], bool], timeout: float) -> bool:
        """Wait until a message makes `satisfied` true; return False after `timeout` seconds.

        Raises the error that ended a subscription.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not satisfied():
                    self._changed.clear()
                    await self._changed.wait()
                    if self._broken:
                        raise self._broken
        return satisfied()

    async def follow(self, name: str, listener: Listener, on_message: OnMessage) -> None:
        """Record the messages of one listener."""
        try:
            async for message in listener:
                self.heard[name].append(message)
                on_message(name, message)
                self._changed.set()
        except HooksError as error:
            self._broken = error
            self._changed.set()


def event_id(message: Received) -> str:
    """Return the id of the event that a message carries, on any topic."""
    attributes = message.attributes
    return attributes.get("ce-id") or attributes.get("webhook-id", "")


@contextlib.asynccontextmanager
async def gathered(
    topics: Mapping[str, str], message_filter: str, *, emulator: str, on_message: OnMessage
) -> AsyncIterator[Audience]:
    """Listen on every topic, and on the events topic once more through `message_filter`."""
    audience = Audience()
    async with contextlib.AsyncExitStack() as unwinding:
        wanted = [(name, topic, "") for name, topic in topics.items()]
        for name, topic, expression in [*wanted, (SUBSCRIBER, topics["events"], message_filter)]:
            listener = await unwinding.enter_async_context(
                listening(topic, emulator=emulator, message_filter=expression, prefix="hooks-demo")
            )
            audience.heard[name] = []
            following = asyncio.create_task(audience.follow(name, listener, on_message))
            unwinding.callback(following.cancel)
        yield audience
