"""Every fault at every call, and every pair of them: nothing is lost, and nothing is acknowledged
that is not finished."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest

from relay.dispatcher.claims import CLAIMED
from relay.dispatcher.worker import Outcome
from tests.crash.virtual import runner
from tests.crash.world import (
    DEAD_LETTER,
    EPOCH,
    MESSAGE,
    READ_FAULTS,
    ROUTES,
    Fault,
    Plan,
    World,
)

TOPICS = [route.topic for route in ROUTES]
EVENTS, BLUE, GREEN = TOPICS
HAPPY = ["create", "publish to events", "publish to blue", "publish to green", "update"]

# How far the clocks of successive processes are ahead: together, and a minute apart either way.
SKEWS = [(0.0,), (0.0, 60.0), (60.0, 0.0), (-30.0, 30.0)]
# Two deliveries of one id: together, between the other's calls, while it is at work, and later.
OFFSETS = [0.0, 0.005, 0.015, 0.025, 0.035, 1.0, 30.0]
# For pairs under two deliveries: one of each kind.
KINDS = [
    Fault.FAIL_BEFORE,
    Fault.FAIL_AFTER,
    Fault.FAIL_LATER,
    Fault.STUCK_AFTER,
    Fault.KILL_BEFORE,
    Fault.KILL_AFTER,
    Fault.FREEZE_BEFORE,
    Fault.FREEZE_AFTER,
    Fault.RETRY,
]

Run = Callable[[Coroutine[Any, Any, World]], World]


@pytest.fixture
def run() -> Iterator[Run]:
    with runner() as virtual:
        # Without the signal handlers that `run` sets and removes for each of thousands.
        yield virtual.get_loop().run_until_complete


async def scenario(
    plan: Plan | None = None,
    *,
    offsets: Sequence[float] = (0.0,),
    skews: Sequence[float] = (0.0, 60.0),
    **conditions: Any,
) -> World:
    """Deliver one event, once or several times, under a plan; check what must hold in the end."""
    world = World(plan, **conditions)
    deliveries = (world.deliver(delay=offset, skews=skews) for offset in offsets)
    await asyncio.gather(*deliveries)
    await world.finish()
    world.check_finished()
    copies = world.copies()
    # A fault of the ledger before anything is published repeats nothing, and no fault repeats a
    # publish more than once.
    repeats = sum(not fault.startswith(("create", "read")) for fault in world.faults)
    assert all(copies[topic] <= 1 + repeats for topic in TOPICS), (world.faults, copies)
    return world


def faults_at(call: str, faults: Sequence[Fault] = tuple(Fault)) -> list[Fault]:
    return [fault for fault in faults if call != "read" or fault in READ_FAULTS]


def test_without_faults_each_route_gets_one_copy_for_two_writes(run: Run) -> None:
    world = run(scenario())
    assert world.calls == HAPPY
    assert all(world.copies()[topic] == 1 for topic in TOPICS)


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_second_delivery_repeats_nothing(run: Run, offset: float) -> None:
    world = run(scenario(offsets=(0.0, offset)))
    assert all(world.copies()[topic] == 1 for topic in TOPICS)


@pytest.mark.parametrize("skews", SKEWS)
@pytest.mark.parametrize("fault", Fault)
def test_every_single_fault(run: Run, fault: Fault, skews: tuple[float, ...]) -> None:
    for call in range(len(HAPPY)):
        assert run(scenario({call: fault}, skews=skews)).faults


@pytest.mark.parametrize("skews", SKEWS)
@pytest.mark.parametrize("fault", Fault)
def test_every_single_fault_of_a_slow_worker(
    run: Run, fault: Fault, skews: tuple[float, ...]
) -> None:
    # So slow that one who wakes up meets the one who took over at work.
    for call in range(len(HAPPY)):
        assert run(scenario({call: fault}, skews=skews, publish_seconds=14.0)).faults


@pytest.mark.parametrize("first", Fault)
def test_every_pair_of_faults(run: Run, first: Fault) -> None:
    for call in range(len(HAPPY)):
        calls = run(scenario({call: first})).calls
        for later in range(call + 1, len(calls)):
            for second in faults_at(calls[later]):
                assert len(run(scenario({call: first, later: second})).faults) == 2


@pytest.mark.parametrize("skews", SKEWS)
@pytest.mark.parametrize("fault", Fault)
def test_every_single_fault_under_two_deliveries(
    run: Run, fault: Fault, skews: tuple[float, ...]
) -> None:
    for offset in OFFSETS:
        offsets = (0.0, offset)
        calls = run(scenario(offsets=offsets, skews=skews)).calls
        for number, call in enumerate(calls):
            if fault in faults_at(call):
                assert run(scenario({number: fault}, offsets=offsets, skews=skews)).faults


@pytest.mark.parametrize("first", KINDS)
def test_every_pair_of_faults_under_two_deliveries(run: Run, first: Fault) -> None:
    offsets = (0.0, 0.015)
    for number, call in enumerate(run(scenario(offsets=offsets)).calls):
        if first not in faults_at(call):
            continue
        calls = run(scenario({number: first}, offsets=offsets)).calls
        for later in range(number + 1, len(calls)):
            for second in faults_at(calls[later], KINDS):
                plan = {number: first, later: second}
                assert len(run(scenario(plan, offsets=offsets)).faults) == 2


@pytest.mark.parametrize("fault", Fault)
def test_every_single_fault_during_a_partial_fan_out(run: Run, fault: Fault) -> None:
    for call in range(12):
        run(scenario({call: fault}, down={BLUE: 2}))


def test_a_partial_fan_out_goes_on_where_it_stopped(run: Run) -> None:
    world = run(scenario(down={BLUE: 2}))
    assert [call for call in world.calls if call.startswith("publish")] == [
        *HAPPY[1:4],
        "publish to blue",
        "publish to blue",
    ]
    assert world.document()["attempt"] == 3


@pytest.mark.parametrize("fault", Fault)
def test_every_single_fault_around_a_refused_publish(run: Run, fault: Fault) -> None:
    for call in range(len(HAPPY) + 1):
        world = run(scenario({call: fault}, refuses=[BLUE]))
        assert world.copies()[BLUE] == 0


def test_a_refused_publish_holds_up_no_other_route_and_is_dead_lettered(run: Run) -> None:
    world = run(scenario(refuses=[BLUE]))
    assert world.copies() == {EVENTS: 1, GREEN: 1, DEAD_LETTER: 1}
    assert world.document()["routes_done"] == ["events", "green"]


def test_a_dead_letter_replayed_after_the_cause_is_mended_goes_on_where_it_stopped(
    run: Run,
) -> None:
    async def story() -> World:
        world = World(refuses=[BLUE])
        await world.deliver()
        world.refuses.clear()
        await world.deliver()
        await world.finish()
        world.check_finished()
        return world

    assert run(story()).copies() == {EVENTS: 1, BLUE: 1, GREEN: 1, DEAD_LETTER: 1}


@pytest.mark.parametrize("skews", [(0.0, 60.0), (60.0, 0.0), (0.0, -60.0)])
@pytest.mark.parametrize("offset", [1.0, 10.0, 20.0, 44.0])
def test_clocks_a_minute_apart_take_nothing_from_a_slow_worker(
    run: Run, offset: float, skews: tuple[float, ...]
) -> None:
    async def story() -> World:
        world = World(publish_seconds=14.0)
        first = world.request(world.process(skews[0]), MESSAGE)
        second = world.deliver(delay=offset, skews=skews[1:])
        assert (await asyncio.gather(first, second))[0] is Outcome.DONE
        await world.finish()
        return world

    assert all(run(story()).copies()[topic] == 1 for topic in TOPICS)


@pytest.mark.parametrize("fault", [Fault.STUCK_BEFORE, Fault.STUCK_AFTER])
def test_a_stop_signal_ends_the_work_in_time_and_the_lease_with_it(run: Run, fault: Fault) -> None:
    async def story() -> World:
        world = World({2: fault})
        process = world.process()
        request = world.later(world.request(process, MESSAGE))
        await asyncio.sleep(1.0)
        stopped_at = world.loop.time()
        process.worker.stopping.begin()
        assert await request is None
        assert world.loop.time() - stopped_at < 10.0
        assert world.document()["state"] == CLAIMED
        assert world.document()["routes_done"] == ["events", "green"]
        assert (world.document()["lease_until"] - EPOCH).total_seconds() <= (
            world.loop.time() - world.start
        )
        assert await world.request(world.process(), MESSAGE) is Outcome.DONE
        await world.finish()
        world.check_finished()
        return world

    copies = run(story()).copies()
    assert copies[EVENTS] == copies[GREEN] == 1
    assert copies[BLUE] == (2 if fault is Fault.STUCK_AFTER else 1)


def test_a_ledger_that_is_briefly_away_when_the_work_is_done_repeats_nothing(run: Run) -> None:
    world = run(scenario(dict.fromkeys((4, 5, 6), Fault.HANG_BEFORE)))
    assert world.calls == [*HAPPY, "update", "update", "update"]
    assert all(world.copies()[topic] == 1 for topic in TOPICS)


def test_a_lost_reply_costs_one_read_and_nothing_else(run: Run) -> None:
    world = run(scenario({0: Fault.RETRY, 5: Fault.RETRY}))
    assert world.calls == ["create", "read", *HAPPY[1:], "read"]
    assert all(world.copies()[topic] == 1 for topic in TOPICS)
