"""The real functions of a soak, several of each: started, killed, stopped, frozen, measured."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from localcloud.runner.process import FUNCTIONS, FunctionProcess
from tests.soak.memory import Sample, resident

_STOP_SECONDS = 10.0
_SAMPLE_SECONDS = 1.0


class Functions:
    """Instances by name, for example `receive-1`; so many of each function.

    `stops` holds, of every graceful stop, the name, the exit status and the seconds it took;
    `deaths`, of every kill, the name and when it was dead, by the machine's monotonic clock;
    `tracebacks` the last line of every traceback that a function wrote.
    """

    def __init__(self, instances: Mapping[str, int], freeze_seconds: float) -> None:
        self.stops: list[tuple[str, int | None, float]] = []
        self.deaths: list[tuple[str, float]] = []
        self.tracebacks: list[str] = []
        self.samples: list[Sample] = []
        self._names = [
            f"{target}-{number}"
            for target, count in instances.items()
            for number in range(1, count + 1)
        ]
        self._freeze_seconds = freeze_seconds
        self._running: dict[str, FunctionProcess] = {}
        self._locks = {name: asyncio.Lock() for name in self._names}
        self._failing: set[str] = set()
        self._began = time.monotonic()

    async def start(
        self, environs: Mapping[str, Mapping[str, str]], unwinding: AsyncExitStack
    ) -> None:
        """Start all of them, each in its function's environment; `unwinding` stops them."""
        # As deployed: what is edited meanwhile does not reach those that start anew.
        source = Path(unwinding.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        shutil.copytree(FUNCTIONS, source, dirs_exist_ok=True)
        for name in self._names:
            target = name.partition("-")[0]
            function = FunctionProcess(
                name,
                target=target,
                environ=environs[target],
                source=source,
                on_line=self._read,
            )
            unwinding.push_async_callback(function.close)
            self._running[name] = function
        await asyncio.gather(*(each.start() for each in self._running.values()))

    def urls(self, target: str) -> list[str]:
        """Return where the instances of a function answer."""
        return [each.url for name, each in self._running.items() if name.startswith(target)]

    async def strike(self, name: str, how: str) -> None:
        """Have an instance, or `everything`, `kill`ed or `stop`ped and started again.

        To `freeze` one stops all of its processes, and lets them go on later.
        """
        if name == "everything":
            await asyncio.gather(*(self.strike(each, how) for each in self._names))
            return
        function = self._running[name]
        async with self._locks[name]:
            if how == "freeze":
                await self._freeze(function)
                return
            if how == "kill":
                await function.kill()
                self.deaths.append((name, time.monotonic()))
            else:
                await self._stop(name, function)
            await function.start()

    async def kill_all(self, target: str) -> None:
        """Have every instance of a function killed at once, and started again."""
        names = [name for name in self._names if name.startswith(target)]
        await asyncio.gather(*(self.strike(name, "kill") for name in names))

    async def sample(self) -> None:
        """Look at the memory of every instance, again and again."""
        while True:
            at = time.monotonic() - self._began
            for name, function in self._running.items():
                leader = function.pid
                size = resident(leader) if leader else None
                if leader and size:
                    self.samples.append(Sample(name, leader, at, size))
            await asyncio.sleep(_SAMPLE_SECONDS)

    async def _stop(self, name: str, function: FunctionProcess) -> None:
        began = time.monotonic()
        status = await function.terminate(timeout=_STOP_SECONDS)
        self.stops.append((name, status, time.monotonic() - began))

    async def _freeze(self, function: FunctionProcess) -> None:
        # Besides the stops between requests.
        with function.freezer.stalled():
            await asyncio.sleep(self._freeze_seconds)

    def _read(self, name: str, line: str) -> None:
        if "Traceback" in line:
            self._failing.add(name)
        elif name in self._failing and line[:1].isalpha():
            # The line that ends a traceback.
            self._failing.discard(name)
            self.tracebacks.append(f"{name}: {line[:200]}")
