"""The laptop stack: everything between Gemini and a subscriber, on one machine.

Embedded emulators stand in for those services of Google Cloud whose emulator variables are not set;
where one is set, whatever it points to is used.
"""

import asyncio
import contextlib
import dataclasses
import functools
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.core import rpc
from localcloud.core.clock import Clock, SystemClock
from localcloud.core.errors import OptionError
from localcloud.core.front import Front
from localcloud.core.serving import AppServer
from localcloud.firestore import Firestore
from localcloud.gemini import Gemini, Settings
from localcloud.laptop.keeper import Keeper, Part, locked
from localcloud.laptop.names import Names
from localcloud.laptop.ports import Ports, taking
from localcloud.laptop.provision import PushTimes, keep_signing_secret, provision
from localcloud.laptop.webhook import LaptopWebhook, register
from localcloud.pubsub import PubSub
from localcloud.pubsub.rest import rules
from localcloud.runner.process import FunctionProcess, OnLine, deployed_python, discard
from localcloud.secretmanager import SecretManager
from relay.dispatcher.routes import read_routes
from relay.environment import Environment
from relay.errors import ConfigurationError

PUBSUB = "PUBSUB_EMULATOR_HOST"
FIRESTORE = "FIRESTORE_EMULATOR_HOST"
SECRET_MANAGER = "SECRET_MANAGER_EMULATOR_HOST"  # noqa: S105 - a variable's name

BUILD = "hooks"
"""Whose lines tell of the functions' packages; every other line is a function's."""

SCHEMES = "v1,v1a,jwt"
"""What the stack's receiver accepts: the simulator signs in every scheme. A deployment accepts v1
alone unless its `SCHEMES` says more."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a laptop stack.

    `environ` is where emulator variables are looked for. `routes` is the dispatcher's `ROUTES`.
    `ports` are free ones by default. `keep` is a directory from which the embedded emulators go on
    with what they held when the stack last ended, and where they keep it.
    `receive` and `dispatch` are further variables of the two functions. `guard` sees every call to
    an embedded emulator. `push` is the pace of the ingress subscription, by default the deployed
    one's. `freeze` has a function stopped while it has no request in flight.
    """

    project: str = "laptop"
    name: str = "gemini-webhooks"
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    routes: str = ""
    ports: Ports = field(default_factory=Ports)
    keep: Path | None = None
    receive: Mapping[str, str] = field(default_factory=dict)
    dispatch: Mapping[str, str] = field(default_factory=dict)
    gemini: Settings = field(default_factory=Settings)
    guard: rpc.Guard = rpc.allow
    push: PushTimes = field(default_factory=PushTimes)
    freeze: bool = True
    on_line: OnLine = discard
    clock: Clock = field(default_factory=SystemClock)

    @property
    def named(self) -> dict[str, str]:
        """The emulators that `environ` names and that are not this stack's own.

        A shell in which `hooks env` was evaluated names those of a stack that has ended.
        """
        ours = f"127.0.0.1:{self.ports.emulators}"
        hosts = {name: self.environ.get(name, "") for name in (PUBSUB, FIRESTORE, SECRET_MANAGER)}
        return {name: host for name, host in hosts.items() if host not in ("", ours)}


class Stack:
    """A laptop stack; `run` starts one.

    `pubsub`, `firestore` and `secret_manager` are the embedded emulators, None where the
    environment names another; `hosts` holds the addresses of all three by variable. `topics` maps
    `ingress`, the names of the routes, and `dead-letter` to full names. The members that belong to
    what runs exist while it runs.
    """

    receive: FunctionProcess
    dispatch: FunctionProcess
    webhook: LaptopWebhook
    _front: Front
    _direct: Mapping[str, str]

    def __init__(self, options: Options) -> None:
        clock, named = options.clock, options.named
        self.options = options
        self.names = Names(options.project, options.name)
        self.pubsub = None if named.get(PUBSUB) else PubSub(clock)
        self.firestore = None if named.get(FIRESTORE) else Firestore(clock)
        self.secret_manager = None if named.get(SECRET_MANAGER) else SecretManager(clock)
        audience = options.gemini.jwt_audience or options.project
        self.gemini = Gemini(clock, dataclasses.replace(options.gemini, jwt_audience=audience))
        self.gemini_url = ""
        self.hosts: Mapping[str, str] = {}
        self._direct = {}
        self.topics: dict[str, str] = {}

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables with which any client reaches this stack."""
        return {
            "GOOGLE_CLOUD_PROJECT": self.names.project,
            "GOOGLE_GEMINI_BASE_URL": self.gemini_url,
            **self.hosts,
        }

    async def interrupt(self) -> None:
        """Stop serving the embedded emulators, as in an outage; they keep their state."""
        await self._front.close()

    async def resume(self) -> None:
        """Serve the embedded emulators at the same addresses again."""
        await self._front.open()

    async def start(self, unwinding: contextlib.AsyncExitStack) -> None:
        """Start everything; `unwinding` stops what has started, in reverse order."""
        routes = _routes(self._dispatch_environ())
        # The functions find it made when they start.
        await deployed_python(functools.partial(self.options.on_line, BUILD))
        await self._emulate(unwinding)
        ports = self.options.ports
        with taking(ports.gemini, "Gemini"):
            server = AppServer(self.gemini.app, port=ports.gemini)
        simulator = await unwinding.enter_async_context(server)
        unwinding.push_async_callback(self.gemini.close)
        self.gemini_url = simulator.url
        self.receive = self._function("receive", self._receive_environ(), unwinding, ports.receive)
        dispatching = self._dispatch_environ()
        self.dispatch = self._function("dispatch", dispatching, unwinding, ports.dispatch)
        await _start(self.receive, self.dispatch)
        ingress, dead_letter = self.names.ingress, self.names.dead_letter
        self.topics = {"ingress": ingress, **routes, "dead-letter": dead_letter}
        # Pushing starts after the dispatcher and ends before it.
        pushing = provision(
            self.names,
            self.hosts[PUBSUB],
            endpoint=self.dispatch.url,
            topics=routes.values(),
            times=self.options.push,
            keep=self.options.keep is not None,
        )
        await unwinding.enter_async_context(pushing)
        self.webhook = await register(self.gemini, self.receive.url, self._keep_secret)
        if self.pubsub:
            await self.pubsub.deliver()

    async def _emulate(self, unwinding: contextlib.AsyncExitStack) -> None:
        emulators: dict[str, PubSub | Firestore | SecretManager | None] = {
            PUBSUB: self.pubsub,
            FIRESTORE: self.firestore,
            SECRET_MANAGER: self.secret_manager,
        }
        services: dict[str, rpc.Service] = {}
        for emulator in emulators.values():
            if emulator:
                unwinding.push_async_callback(emulator.close)
                services.update(emulator.services)
        if self.options.keep:
            await self._keep(self.options.keep, emulators, unwinding)
        port, named = self.options.ports.emulators, self.options.named
        calls = rules() if self.pubsub else ()
        self._front = Front(services, calls, guard=self.options.guard, port=port)
        with taking(port, "the emulators"):
            await self._front.open()
        unwinding.push_async_callback(self.interrupt)
        self.hosts = {name: named.get(name, self._front.address) for name in emulators}
        self._direct = {name: named.get(name, self._front.direct) for name in emulators}

    async def _keep(
        self,
        directory: Path,
        emulators: Mapping[str, PubSub | Firestore | SecretManager | None],
        unwinding: contextlib.AsyncExitStack,
    ) -> None:
        unwinding.enter_context(locked(directory))
        parts: dict[str, Part] = {
            variable.removesuffix("_EMULATOR_HOST").lower(): emulator
            for variable, emulator in emulators.items()
            if emulator
        }
        parts["gemini"] = self.gemini
        keeper = Keeper(directory, parts, self.options.clock, self.options.on_line)
        keeper.restore()
        # Nothing changes any more once everything that is started after this has stopped.
        unwinding.callback(keeper.stop)
        saving = asyncio.create_task(keeper.run())
        unwinding.push_async_callback(_cancelled, saving)

    async def _keep_secret(self, secret: str) -> None:
        await keep_signing_secret(self.names, self.hosts[SECRET_MANAGER], secret)

    def _function(
        self,
        target: str,
        environ: Mapping[str, str],
        unwinding: contextlib.AsyncExitStack,
        port: int,
    ) -> FunctionProcess:
        with taking(port, f"the function {target}"):
            function = FunctionProcess(
                target,
                target=target,
                environ=environ,
                on_line=self.options.on_line,
                port=port,
                freeze=self.options.freeze,
            )
        unwinding.push_async_callback(function.close)
        return function

    def _receive_environ(self) -> dict[str, str]:
        return {
            **self.variables,
            **self._direct,
            "INGRESS_TOPIC": self.names.ingress,
            "SIGNING_SECRET": self.names.signing_secret,
            "JWKS_URI": f"{self.gemini_url}/.well-known/jwks.json",
            "SCHEMES": SCHEMES,
            "JWT_AUDIENCE": self.gemini.settings.jwt_audience or "",
            **self.options.receive,
        }

    def _dispatch_environ(self) -> dict[str, str]:
        return {
            **self.variables,
            **self._direct,
            "EVENTS_TOPIC": self.names.events,
            "DEAD_LETTER_TOPIC": self.names.dead_letter,
            "ROUTES": self.options.routes,
            **self.options.dispatch,
        }


@contextlib.asynccontextmanager
async def run(options: Options | None = None) -> AsyncIterator[Stack]:
    """Run a laptop stack while the block lasts, its webhook registered at the simulator.

    Everything is stopped in reverse order when the block ends. Raises `StartFailed` where a
    function does not start, and `OptionError` for routes that the dispatcher would refuse.
    """
    async with contextlib.AsyncExitStack() as unwinding:
        stack = Stack(options or Options())
        await stack.start(unwinding)
        yield stack


def _routes(environ: Mapping[str, str]) -> dict[str, str]:
    try:
        return {route.name: route.topic for route in read_routes(Environment(environ))}
    except ConfigurationError as error:
        raise OptionError(str(error)) from error


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _start(*functions: FunctionProcess) -> None:
    starts = [asyncio.create_task(function.start()) for function in functions]
    try:
        await asyncio.gather(*starts)
    finally:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
