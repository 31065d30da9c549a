"""Follows the stream of an interaction over cuts, silence and repetitions, until the job has ended.

Seen at Google: every connection is cut after 600 s, by a JSON array that the SDK drops, so that its
iterator just ends; a resumed one is cut again at the same place, or stays silent for ever; some
streams end without an event that says so.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from gemini_relay.errors import NotFound, Refused, Unavailable
from gemini_relay.resumption import Resumption, event_status, event_type, is_event
from relay.jobs.names import INTERACTION
from relay.jobs.states import outcome

FRUITLESS = 5
"""Resumes in a row without a new event, after which a plain GET decides."""
_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)
_SHORT = 0.5
_FIRST_REST, _LAST_REST = 5.0, 60.0
_LAST_WORDS = 5.0
"""Seconds of silence after which a connection is closed once the job is known to have ended."""


class Connection(Protocol):
    """A stream of the SDK's events."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """Iterate over the events."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


Open = Callable[[str | None], Awaitable[Connection]]
"""Opens a connection that begins after an event's id, or at the start. Raises `JobsError`."""

Over = Callable[[], Awaitable[bool]]
"""Asks by a plain GET whether the stream is over. Raises `JobsError`."""


class Follower:
    """Follows one job's stream. `sleep` waits a number of seconds between connections."""

    def __init__(
        self,
        open_connection: Open,
        over: Over,
        *,
        after: str | None,
        idle: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open = open_connection
        self._over = over
        self._after = after
        self._idle = idle
        self._sleep = sleep
        self._events = Resumption(after)
        self._told = False
        """Whether an event has told the end."""
        self._doubted = False
        """Whether a silence or an error asks for a plain GET."""
        self._over_already = False
        """Whether a GET has told the end: what is left to come comes at once."""
        self._from_start = False
        self._rest = _FIRST_REST

    async def events(self) -> AsyncGenerator[Any]:
        """Yield the events with an id once and in order, and those without as they come.

        Ends when the job has. Raises `NotFound`, and `Refused` where no connection is allowed.
        """
        # The first connection is no resume.
        fruitless = -1
        while True:
            fruitful = False
            async with contextlib.aclosing(self._connection()) as events:
                async for event in events:
                    fruitful = True
                    yield event
            fruitless = 0 if fruitful else fruitless + 1
            if fruitful:
                self._rest = _FIRST_REST
            if self._told:
                return
            given_up = fruitless >= FRUITLESS
            if given_up or self._doubted:
                self._over_already = self._over_already or await self._is_over()
            if given_up and self._over_already:
                return
            await self._sleep(self._pause(fruitless))
            if given_up:
                fruitless = 0

    async def _connection(self) -> AsyncGenerator[Any]:
        self._doubted = False
        after = self._after if self._from_start else self._events.last
        try:
            async with asyncio.timeout(self._patience()):
                connection = await self._open(after)
        except TimeoutError:
            self._doubted = True
            return
        except Refused:
            if after == self._after:
                raise
            # Gemini knows this id no longer; what comes again is recognised.
            self._from_start = True
            return
        except (Unavailable, NotFound):
            return
        self._events.connected()
        try:
            async for event in self._read(connection):
                if self._events.takes(event):
                    self._note(event)
                    yield event
        finally:
            # Whatever breaks here concerns a connection that is over: its events are read, and
            # the next one resumes what is missing.
            with contextlib.suppress(Exception):
                await connection.close()

    async def _read(self, connection: Connection) -> AsyncGenerator[Any]:
        items = aiter(connection)
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    item = await anext(items)
            except StopAsyncIteration:
                return
            except TimeoutError:
                self._doubted = True
                return
            except Exception:  # noqa: BLE001 - whatever breaks a stream, the next one resumes it
                return
            if is_event(item):
                yield item

    def _pause(self, fruitless: int) -> float:
        if self._over_already:
            return _SHORT
        if fruitless < FRUITLESS:
            return _PAUSES[max(0, fruitless)]
        # It goes on, and its stream gives nothing: as rarely as `wait` asks.
        pause, self._rest = self._rest, min(self._rest * 1.5, _LAST_REST)
        return pause

    def _patience(self) -> float:
        last = self._told or self._over_already
        return min(self._idle, _LAST_WORDS) if last else self._idle

    def _note(self, event: Any) -> None:
        status, kind = event_status(event), event_type(event)
        # Steps have a status too.
        if kind.startswith("interaction."):
            ended = outcome(INTERACTION, status) if status else kind == "interaction.completed"
            self._told = self._told or bool(ended)
        self._doubted = kind == "error"

    async def _is_over(self) -> bool:
        try:
            return await self._over()
        except Unavailable:
            return False
