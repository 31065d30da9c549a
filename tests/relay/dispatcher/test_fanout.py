import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from relay.dispatcher.fanout import Progress, fan_out
from relay.dispatcher.routes import Route
from relay.dispatcher.stopping import Stopping
from relay.errors import PublishRefused, PublishUnavailable
from tests.crash.virtual import runner
from tests.relay.dispatcher.test_claims import EVENT

ROUTES = [Route(name, f"projects/p/topics/{name}") for name in ("events", "blue", "green")]


class Topics:
    """A publisher; `behave` says what a topic does before it takes a message."""

    def __init__(self, behave: Callable[[str], object] | None = None) -> None:
        self.behave = behave or (lambda _topic: None)
        self.published: list[str] = []
        self.timeouts: list[float] = []

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        assert (data, attributes) == (EVENT.data, EVENT.attributes)
        self.timeouts.append(timeout)
        if self.behave(topic.rpartition("/")[2]) == "hang":
            await asyncio.sleep(3600)
        self.published.append(topic)
        return "1"


async def run(
    topics: Topics, *, seconds: float = 45.0, stopping: Stopping | None = None
) -> Progress:
    deadline = asyncio.get_running_loop().time() + seconds
    return await fan_out(EVENT, ROUTES, topics, stopping or Stopping(0.0), deadline=deadline)


async def test_every_route_gets_the_event() -> None:
    topics = Topics()
    assert (await run(topics)).done == {"events", "blue", "green"}
    assert sorted(topics.published) == sorted(route.topic for route in ROUTES)
    assert all(timeout <= 15.0 for timeout in topics.timeouts)


async def test_a_topic_that_refuses_or_fails_delays_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def behave(topic: str) -> None:
        if topic == "blue":
            raise PublishRefused("bad attribute")
        if topic == "green":
            raise PublishUnavailable("publish-not-found")

    progress = await run(Topics(behave))
    assert progress == Progress(done={"events"}, refused={"blue"}, failed={"green"})
    written = capsys.readouterr().out
    assert "bad attribute" in written
    assert "publish-not-found" in written


def test_a_topic_that_hangs_delays_no_other() -> None:
    def behave(topic: str) -> str | None:
        return "hang" if topic == "events" else None

    with runner() as virtual:
        progress = virtual.run(run(Topics(behave)))
    assert progress == Progress(done={"blue", "green"}, failed={"events"})


async def test_a_stop_cuts_the_fan_out_short() -> None:
    stopping = Stopping(0.0)
    work = asyncio.create_task(run(Topics(lambda _: "hang"), stopping=stopping))
    await asyncio.sleep(0)
    stopping.begin()
    assert (await work).failed == {"events", "blue", "green"}


async def test_nothing_is_published_after_the_deadline() -> None:
    topics = Topics()
    assert (await run(topics, seconds=-1.0)).failed == {"events", "blue", "green"}
    assert topics.timeouts == []


def test_a_worker_frozen_past_its_deadline_publishes_nothing() -> None:
    with runner() as virtual:
        loop: Any = virtual.get_loop()

        def freeze(_topic: str) -> None:
            # The whole process stands still, its timers too.
            loop._virtual.clock += 150.0

        topics = Topics(freeze)
        progress = virtual.run(run(topics))
    assert len(topics.timeouts) == 1
    assert progress.failed >= {"blue", "green"}
