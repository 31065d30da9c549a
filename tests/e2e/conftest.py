"""The laptop stack with the real functions, shared by the tests of a module."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from hooks import stackfile
from hooks.cli import app
from hooks.laptop.dev import describe
from hooks.subscription import Received, listening
from localcloud.core.rpc import Call
from localcloud.gemini import Settings
from localcloud.gemini.deliveries import Delivery
from localcloud.laptop import stack
from localcloud.laptop.provision import PushTimes
from tests.support.schemas import check_event

PUBLISH = "google.pubsub.v1.Publisher/Publish"
WRITE = "google.firestore.v1.Firestore/BatchWrite"

Fault = Callable[[Call], Awaitable[None]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # A stack lives on one event loop.
        if "tests/e2e/" in item.nodeid and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass
class Faults:
    """The guard of the embedded emulators: applies the injected faults to every call."""

    active: list[Fault] = field(default_factory=list)

    async def __call__(self, call: Call) -> None:
        for fault in tuple(self.active):
            await fault(call)

    @contextlib.contextmanager
    def injected(self, fault: Fault) -> Iterator[None]:
        self.active.append(fault)
        try:
            yield
        finally:
            self.active.remove(fault)


@dataclass
class World:
    """A running stack, its injected faults, and the log lines of its functions."""

    stack: stack.Stack
    faults: Faults
    lines: list[tuple[str, str]]

    @property
    def uri(self) -> str:
        return self.stack.receive.url

    def emit(self, event_type: str, scheme: str = "v1", **more: Any) -> list[Delivery]:
        """Send as Gemini does: v1 to the registered webhook, other schemes to a dynamic one."""
        target = {"to": [self.stack.webhook.id]}
        if scheme in ("v1a", "jwt"):
            target = {"uris": [self.uri]}
        return self.stack.gemini.emit(event_type, scheme=scheme, **target, **more)

    async def answered(self, deliveries: list[Delivery]) -> list[int | None]:
        """Return the status of the first answer to each delivery, None where none came."""
        await self.stack.gemini.courier.quiet()
        return [delivery.attempts[0].status for delivery in deliveries]

    async def settled(self, deliveries: list[Delivery]) -> None:
        """Return once each is delivered or given up."""
        await self.stack.gemini.courier.settled(deliveries, 60)

    async def taken(self, deliveries: list[Delivery]) -> bool:
        """Tell whether all are acknowledged in the end; a busy machine may refuse one first."""
        await self.settled(deliveries)
        return all(delivery.state == "delivered" for delivery in deliveries)

    def stored(self) -> set[str]:
        """Return the ids of the deliveries in the ingress topic."""
        assert self.stack.pubsub
        messages = self.stack.pubsub.published(self.stack.names.ingress)
        return {message.attributes["webhook-id"] for message in messages}

    async def dispatched(self) -> None:
        """Return once the dispatch subscription has no backlog."""
        assert self.stack.pubsub
        async with asyncio.timeout(60):
            # The embedded Pub/Sub announces no empty backlog.
            while self.stack.pubsub.backlog(self.stack.names.dispatch):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def subscribed(
        self, message_filter: str = "", topic: str = "events"
    ) -> AsyncIterator["Inbox"]:
        """Subscribe with the real client while the block lasts."""
        emulator, name = self.stack.hosts[stack.PUBSUB], self.stack.topics[topic]
        async with listening(name, emulator=emulator, message_filter=message_filter) as listener:
            yield Inbox(aiter(listener))


@dataclass
class Inbox:
    """The messages that a subscriber has received."""

    messages: AsyncIterator[Received]
    received: list[Received] = field(default_factory=list)

    async def until(self, *identifiers: str) -> list[Received]:
        """Return the messages so far once all of these events are among them."""
        async with asyncio.timeout(60):
            while not set(identifiers) <= set(self.ids()):
                message = await anext(self.messages)
                check_event(message.attributes.get("ce-type", ""), message.data)
                self.received.append(message)
        return self.received

    def ids(self) -> list[str]:
        return [message.attributes["ce-id"] for message in self.received]

    def of(self, identifier: str) -> list[Received]:
        return [each for each in self.received if each.attributes["ce-id"] == identifier]


def identifier(deliveries: list[Delivery]) -> str:
    """Return the id of the event that these deliveries announce."""
    (found,) = {delivery.message.event_id for delivery in deliveries}
    return found


OPTIONS: dict[str, Any] = {
    "routes": '[{"name": "blue", "types": ["batch.*"], "metadata": {"team": "blue"}, '
    '"topic": "gemini-webhooks-route-blue"}]',
    # Short, so that a killed worker's claim and the pauses between attempts end soon.
    "dispatch": {"LEASE_SECONDS": "8"},
    "push": PushTimes(minimum_backoff=0.1, maximum_backoff=1.0),
    "gemini": Settings(time_scale=50.0),
    "environ": {},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world() -> AsyncIterator[World]:
    """A stack for the tests of a module."""
    faults = Faults()
    lines: list[tuple[str, str]] = []

    def keep(name: str, line: str) -> None:
        if name != stack.BUILD:
            lines.append((name, line))

    options = stack.Options(guard=faults, on_line=keep, **OPTIONS)
    async with stack.run(options) as running:
        yield World(running, faults, lines)
    said = "\n".join(f"{name}: {line}" for name, line in lines)
    assert "Traceback" not in said, said


@dataclass
class Operator:
    """Somebody who works beside the stack, in the directory that it runs in."""

    world: World
    directory: Path

    async def runs(self, *arguments: str) -> Result:
        """Run a command in this process, in a thread of its own."""

        def run() -> Result:
            return CliRunner().invoke(app, list(arguments))

        return await asyncio.to_thread(run)

    async def examine(self, *options: str) -> dict[str, dict[str, str]]:
        """Return what the doctor finds, by check."""
        result = await self.runs("doctor", "--json", *options)
        if not result.stdout:
            raise AssertionError(result.output) from result.exception
        found = json.loads(result.stdout)
        assert result.exit_code == (0 if found["ok"] else 1)
        return {each["check"]: each for each in found["checks"]}


@pytest_asyncio.fixture(loop_scope="session")
async def operator(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Operator]:
    monkeypatch.chdir(tmp_path)
    await world.dispatched()
    with stackfile.locked() as file:
        file.announce(describe(world.stack, "dev"))
        yield Operator(world, tmp_path)
