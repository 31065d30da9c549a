"""Deployed functions: built into images, started as processes, and served through their doors."""

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

import httpx2

from localcloud.controlplane.api import application
from localcloud.controlplane.door import Behind, Door
from localcloud.controlplane.errors import ApiError
from localcloud.controlplane.images import Images
from localcloud.controlplane.network import Network
from localcloud.controlplane.state import State
from localcloud.core.certificates import certificates
from localcloud.core.errors import StartFailed
from localcloud.core.serving import AppServer
from localcloud.runner.process import FunctionProcess, OnLine, discard

Environment = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns a function's environment, secrets included; called at every start."""


@dataclass(frozen=True)
class Revision:
    """What to run: a source archive (a zip), its runtime and entry point, the settings of its door.

    `build_environ` is what the build finds in its environment, `environment` what the function
    does. `audiences` are accepted besides the URL; `timeout` is in seconds.
    """

    name: str
    service: str
    archive: bytes
    runtime: str
    build_environ: Mapping[str, str]
    entry_point: str
    environment: Environment
    internal: bool
    audiences: frozenset[str]
    timeout: float


@dataclass(frozen=True)
class _Running:
    revision: Revision
    process: FunctionProcess
    keeper: asyncio.Task[None]

    async def stop(self) -> None:
        self.keeper.cancel()
        await asyncio.gather(self.keeper, return_exceptions=True)
        await self.process.close()


class Deployment:
    """One function: a door that stays, and a process that each revision replaces."""

    def __init__(
        self,
        state: State,
        network: Network,
        images: Images,
        client: httpx2.AsyncClient,
        on_line: OnLine,
        *,
        freeze: bool,
    ) -> None:
        self._freeze = freeze
        self._images = images
        self._client = client
        self._on_line = on_line
        self._running: _Running | None = None
        self._open = contextlib.AsyncExitStack()
        self._server = AppServer(application(Door(state, network.mark, self._behind, client)))
        network.own(self.url)

    @property
    def url(self) -> str:
        """Where the function is reached."""
        return self._server.url

    @property
    def process(self) -> FunctionProcess:
        """The process behind the door."""
        return self._current.process

    async def run(self, revision: Revision) -> None:
        """Build and start a revision; once it answers, it replaces the one before.

        Raises `BuildFailed` or `StartFailed`, and keeps the one before running.
        """
        if self._running is None:
            await self._open.enter_async_context(self._server)
        say = functools.partial(self._on_line, revision.name)
        image = await self._images.build(
            revision.archive, revision.runtime, say, revision.build_environ
        )
        environ = await revision.environment()
        process = FunctionProcess(
            revision.name,
            target=revision.entry_point,
            environ=environ,
            source=image.source,
            python=image.python,
            on_line=self._on_line,
            freeze=self._freeze,
        )
        try:
            await process.start()
        except BaseException:
            await process.close()
            raise
        keeper = asyncio.create_task(self._keep(process, revision))
        before, self._running = self._running, _Running(revision, process, keeper)
        if before:
            await before.stop()

    async def replace_instance(self) -> None:
        """Replace the running instance by a new one, whose secrets are read anew.

        Raises `StartFailed`, or `ApiError` for a secret that it may not access; in either case the
        start is tried again until it succeeds.
        """
        running = self._current
        running.keeper.cancel()
        await asyncio.gather(running.keeper, return_exceptions=True)
        await running.process.terminate()
        try:
            await self._start(running.process, running.revision)
        finally:
            keeper = asyncio.create_task(self._keep(running.process, running.revision))
            self._running = dataclasses.replace(running, keeper=keeper)

    async def close(self) -> None:
        """Stop the function and close its door."""
        await self._open.aclose()
        if self._running:
            await self._running.stop()

    @property
    def _current(self) -> _Running:
        if self._running is None:
            raise LookupError("no revision has been run")
        return self._running

    def _behind(self) -> Behind:
        revision, process = self._current.revision, self._current.process
        return Behind(
            service=revision.service,
            audiences=revision.audiences | {self.url},
            internal=revision.internal,
            address=process.url,
            timeout=revision.timeout,
        )

    async def _keep(self, process: FunctionProcess, revision: Revision) -> None:
        # An instance that ends is replaced.
        while True:
            status = await process.wait()
            if status is not None:
                self._on_line(revision.name, f"ended with exit status {status}; starting another")
            try:
                await self._start(process, revision)
            except (ApiError, StartFailed) as error:
                self._on_line(revision.name, str(error))
                await asyncio.sleep(1)

    @staticmethod
    async def _start(process: FunctionProcess, revision: Revision) -> None:
        process.environ = dict(await revision.environment())
        await process.start()


class Deployments:
    """All functions that run, by resource name."""

    def __init__(
        self, state: State, network: Network, on_line: OnLine = discard, *, freeze: bool = True
    ) -> None:
        self._freeze = freeze
        self._state = state
        self._network = network
        self._on_line = on_line
        self._images = Images()
        self._by_name: dict[str, Deployment] = {}
        self._client = httpx2.AsyncClient(
            timeout=None,
            limits=httpx2.Limits(max_connections=None),
            trust_env=False,
            verify=certificates(),
        )

    def __getitem__(self, name: str) -> Deployment:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._by_name))

    async def deploy(self, function: str, revision: Revision) -> str:
        """Run a revision of a function, new or not; return its URL.

        Raises `BuildFailed` or `StartFailed`.
        """
        deployment = self._by_name.get(function) or Deployment(
            self._state,
            self._network,
            self._images,
            self._client,
            self._on_line,
            freeze=self._freeze,
        )
        try:
            await deployment.run(revision)
        except BaseException:
            if function not in self._by_name:
                await deployment.close()
            raise
        self._by_name[function] = deployment
        return deployment.url

    async def remove(self, function: str) -> None:
        """Stop a function, if it runs."""
        if deployment := self._by_name.pop(function, None):
            await deployment.close()

    async def close(self) -> None:
        """Stop all."""
        await asyncio.gather(*(self.remove(name) for name in list(self._by_name)))
        await self._client.aclose()
        self._images.close()
