"""Keys that come over the network: kept, renewed in time, and used through an outage."""

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
"""Loads keys. Empty ones mean that there are none any more; whatever it raises means that they
cannot be had now, and the last good ones go on serving."""


@dataclass(frozen=True)
class Pace:
    """How often a source may be asked, and how long an answer may serve; all in seconds."""

    stale: float
    """Beyond their lifetime, for as long as no newer ones can be had."""
    between_forced: float = 5.0
    """A delivery that nothing verifies may force a refresh; this bounds what forgeries can cost."""
    after_failure: float = 2.0
    timeout: float = 2.0
    """For one load, everything included."""


class KeyCache(Generic[Keys]):
    """The last good keys of one source.

    `known` never waits: keys past their lifetime go on serving while one refresh runs beside the
    deliveries. Only a delivery that no known key verifies, or the first of all, waits for a load;
    all that wait share it. Failed loads are not repeated at once, whoever asks.

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

    def known(self) -> Keys | None:
        """Return the keys at hand, or None where there are none that may still be used.

        Starts a refresh in the background once their lifetime is over.
        """
        now = self._clock()
        if now >= self._fresh_until and self._keys is not None:
            self._start(now)
        return self._keys if now < self._usable_until else None

    async def first(self) -> Keys:
        """Return the keys, loading them if there are none at hand.

        Raises `Unavailable` when they cannot be loaded, or could not a moment ago.
        """
        keys = self.known()
        if keys is None and (loading := self._start(self._clock())):
            await asyncio.shield(loading)
            keys = self.known()
        if keys is None:
            raise Unavailable(self._name)
        return keys

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
            self._loading = asyncio.get_running_loop().create_task(self._refresh())
            self._loading.add_done_callback(self._ended)
        return self._loading

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._loading = None

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(self._pace.timeout):
                self._keep(await self._load())
        except Exception as error:  # noqa: BLE001 - whatever the reason, the last good keys serve
            self._no_load_before = self._clock() + self._pace.after_failure
            log("WARNING", "keys not refreshed", keys=self._name, error=type(error).__name__)

    def _keep(self, loaded: Loaded[Keys]) -> None:
        self._keys = None
        if not loaded.keys:
            raise Unavailable(self._name)
        self._keys = loaded.keys
        self._fresh_until = self._clock() + loaded.lifetime
        self._usable_until = self._fresh_until + self._pace.stale
