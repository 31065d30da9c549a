"""A run dies before or after any of its calls; the runs after it finish its work, with one id."""

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from relay.jobs import names, reconciled
from tests.crash.virtual import runner
from tests.relay.reconciler.world import NOW, World, batch, video

HOUR = timedelta(hours=1)
FILE_URI = "https://generativelanguage.googleapis.com/v1beta/files/f1:download?alt=media"
OPERATION = "models/veo/operations/o1"

FIRST = 15
"""The call that reads the last of the shards: a death at one before it is the same."""

Scenario = Callable[[World], tuple[str, list[str]]]
"""Fills a world, and returns the job's id and the words of the events to come."""


class Killed(BaseException):
    """The process is gone."""


class Striker:
    """Kills the process at the call with that number, `before` or after its effect."""

    def __init__(self, world: World, number: int, *, before: bool) -> None:
        self.calls: list[str] = []
        self._number, self._before = number, before
        for owner, method in (
            (world.jobs, "read"),
            (world.jobs, "commit"),
            (world.jobs, "find"),
            (world.ledger, "find"),
            (world.topic, "publish"),
            (world.gemini.api, "_send"),
        ):
            setattr(owner, method, self._watched(method, getattr(owner, method)))

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(*arguments: Any, **options: Any) -> Any:
            number = len(self.calls)
            self.calls.append(name)
            if number == self._number and self._before:
                raise Killed
            try:
                return await call(*arguments, **options)
            finally:
                if number == self._number:
                    raise Killed

        assert inspect.iscoroutinefunction(call)
        return watched


def an_end(world: World) -> tuple[str, list[str]]:
    world.gemini.answers["/v1/interactions/i"] = {"status": "completed"}
    return world.add("interaction", "i"), [reconciled.END]


def a_video(world: World) -> tuple[str, list[str]]:
    world.gemini.answers[f"/v1beta/{OPERATION}"] = video(FILE_URI, FILE_URI.replace("f1", "f2"))
    return world.add("video", OPERATION), [reconciled.END]


def a_lost_reply(world: World) -> tuple[str, list[str]]:
    job = world.add("batch", None)
    entry = batch(state="BATCH_STATE_SUCCEEDED", displayName=f"d {job}")
    world.gemini.answers["/v1/batches"] = {"operations": [entry]}
    world.gemini.answers["/v1/batches/b1"] = entry
    return job, [reconciled.END]


def an_action(world: World) -> tuple[str, list[str]]:
    world.gemini.answers["/v1/interactions/i"] = {"status": "requires_action"}
    return world.add("interaction", "i"), [reconciled.ACTION]


def a_late_job(world: World) -> tuple[str, list[str]]:
    return world.add("batch", "batches/b1", age=80, deadline=NOW - HOUR), [
        reconciled.OVERDUE,
        reconciled.LOST,
    ]


def a_learnt_end(world: World) -> tuple[str, list[str]]:
    return world.add("batch", "batches/b1", state="ended", status="failed"), [reconciled.END]


SCENARIOS = (an_end, a_video, a_lost_reply, an_action, a_late_job, a_learnt_end)


def deaths(scenario: Scenario) -> Iterator[tuple[World, str, list[str], Striker]]:
    """Yield a world for each death in its first run, once the run after it has ended."""
    for call in itertools.count(2 * FIRST):
        world = World()
        job, words = scenario(world)
        striker = Striker(world, call // 2, before=call % 2 == 0)
        with runner() as virtual:
            with contextlib.suppress(Killed, BaseExceptionGroup):
                virtual.run(world.run())
                return
            virtual.run(world.run())
        yield world, job, words, striker


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_death_at_any_call_loses_nothing_and_makes_no_second_event(scenario: Scenario) -> None:
    seen = 0
    for world, job, words, striker in deaths(scenario):
        seen += 1
        published = {attributes["dedup-key"]: body for body, attributes in world.topic.messages}
        assert published.keys() == {reconciled.event_id(job, word) for word in words}, striker.calls
        record = world.record(job)
        assert record.check_at != NOW, striker.calls
        if reconciled.END in words:
            assert (record.state, record.check_at) == ("ended", None)
            # Again at most once: the death was between the publish and the record.
            assert len(world.topic.messages) <= 2
    assert seen >= 8


def test_the_order_of_the_calls() -> None:
    world = World()
    job, _ = a_video(world)
    striker = Striker(world, 1000, before=True)
    with runner() as virtual:
        virtual.run(world.run())
    # The shards; Gemini; the names, each that is new; the ledger; the event; the job's document.
    names = ["read", "commit", "commit", "commit"]
    expected = ["find"] * 16 + ["_send", *names, "find", "publish", "commit"]
    assert striker.calls == expected
    assert world.alias("video", "f2") == job


def test_an_adoption_is_whole_or_none() -> None:
    for number, before in itertools.product(range(FIRST, 21), (True, False)):
        world = World()
        world.gemini.answers["/v1/batches"] = {"operations": [batch()]}
        world.gemini.answers["/v1/batches/b1"] = batch()
        Striker(world, number, before=before)
        with runner() as virtual:
            for _ in range(2):
                try:
                    virtual.run(world.run(adopt=True))
                except Killed:
                    assert len(world.names()) == (world.alias("batch", "b1") is not None)
        assert world.names() == [names.adopted_id("batches/b1")]
        assert world.alias("batch", "batches/b1") == world.names()[0]
