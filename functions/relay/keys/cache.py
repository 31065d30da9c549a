"""Keys that come over the network: cached for their lifetime, and refreshed before use past it.

Cloud Run stops an instance between requests, so nothing here relies on what runs in between: a
load begins and ends while a request waits for it, or its outcome does not count.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from relay.errors import Unavailable
from relay.log import log

Keys = TypeVar("Keys")


@dataclass(frozen=True)
class Loaded(Generic[Keys]):
    """Keys as just loaded, and for how many seconds they are fresh."""

    keys: Keys
    lifetime: float


Load = Callable[[], Awaitable[Loaded[Keys]]]
"""Loads keys. Empty ones mean that there are none any more; an error means that they cannot be had
now, and the last good ones serve on, or those that a `LoadFailed` leaves."""


class LoadFailed(Exception, Generic[Keys]):
    """A load failed, yet it showed which of the keys it found before may still serve."""

    def __init__(self, usable: Keys) -> None:
        super().__init__("some keys cannot be had")
        self.usable = usable


@dataclass(frozen=True)
class Pace:
    """How often a source may be asked, and how long an answer may serve; all in seconds."""

    stale: float
    """Past their lifetime, keys serve this long while every refresh fails."""
    between_forced: float = 5.0
    """A delivery that nothing verifies may force a refresh; this bounds what forgeries can cost."""
    after_failure: float = 4.0
    """From the start of a load that failed until the next load."""
    timeout: float = 2.0
    """For one load, everything included."""


class KeyCache(Generic[Keys]):
    """The last good keys of one source.

    Keys within their lifetime are at hand without a wait, also while newer ones are looked for.
    Past it, whoever needs them waits for a refresh first, and gets the last good ones only if that
    fails. All that wait share one load.

    `clock` returns seconds that never go back. One event loop; may be built before the fork.
    """

    def __init__(self, name: str, load: Load[Keys], pace: Pace, clock: Callable[[], float]) -> None:
        self._name = name
        self._load = load
        self._pace = pace
        self._clock = clock
        self._keys: Keys | None = None
        self._fresh_until = self._usable_until = float("-inf")
        self._no_load_before = self._no_force_before = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    def fresh(self) -> Keys | None:
        """Return the keys at hand, or None where there are none within their lifetime."""
        return self._keys if self._clock() < self._fresh_until else None

    async def current(self) -> Keys:
        """Return the keys, refreshed before if their lifetime is over.

        Raises `Unavailable` when there are none, or none that may still serve.
        """
        # Twice: the first load may be one that was stopped half way, and timed out on waking.
        for _ in range(2):
            if (keys := self.fresh()) is not None:
                return keys
            loading = self._start(self._clock())
            if loading is None:
                break
            await asyncio.shield(loading)
        if self._keys is None or self._clock() >= self._usable_until:
            raise Unavailable(self._name)
        return self._keys

    async def newer(self, seen: Keys) -> Keys | None:
        """Return keys loaded after `seen`, which did not suffice; None where there are none.

        Forces a refresh if none has been forced lately.
        """
        if self._keys is seen:
            now = self._clock()
            loading = self._loading
            if loading is None and now >= self._no_force_before:
                self._no_force_before = now + self._pace.between_forced
                loading = self._start(now)
            if loading is not None:
                await asyncio.shield(loading)
        return self._keys if self._keys is not seen else None

    def _start(self, now: float) -> asyncio.Task[None] | None:
        if self._loading is None and now >= self._no_load_before:
            self._loading = asyncio.get_running_loop().create_task(self._refresh(now))
            self._loading.add_done_callback(self._ended)
        return self._loading

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._loading = None

    async def _refresh(self, started: float) -> None:
        try:
            async with asyncio.timeout(self._pace.timeout):
                self._keep(await self._load(), started)
        except Exception as error:  # noqa: BLE001 - whatever the reason, the last good keys serve
            self._no_load_before = started + self._pace.after_failure
            if isinstance(error, LoadFailed):
                self._keys = error.usable or None
            log("WARNING", "keys not refreshed", keys=self._name, error=type(error).__name__)

    def _keep(self, loaded: Loaded[Keys], started: float) -> None:
        self._keys = None
        self._fresh_until = float("-inf")
        if not loaded.keys:
            raise Unavailable(self._name)
        self._keys = loaded.keys
        # From the start of the load: the process may have been stopped since the answer.
        self._fresh_until = started + loaded.lifetime
        self._usable_until = self._fresh_until + self._pace.stale
