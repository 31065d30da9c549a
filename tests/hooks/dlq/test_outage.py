"""An hour of outages of every dependency: no event is lost, and no dead letter is left."""

from pathlib import Path

from localcloud.core.rpc import Call
from localcloud.laptop.provision import PushTimes
from tests.hooks.conftest import BLUE, NAMES, Relay, manual_clock, relaying

MINUTE = 60.0
EVENTS = 15


def no_ledger(call: Call) -> bool:
    return "Firestore" in call.method


def no_events_topic(call: Call) -> bool:
    return getattr(call.request, "topic", "") == NAMES.events and call.method.endswith("/Publish")


async def an_hour_of_outages(relay: Relay) -> None:
    """Let the dispatcher, then the ledger, then the events topic fail while events come in."""
    for minute in range(60):
        relay.down = minute < 20
        relay.refuse = no_ledger if minute < 40 else no_events_topic
        if minute % 4 == 0:
            await relay.receive(minute // 4)
            await relay.receive(minute // 4)
        await relay.pass_time(MINUTE, step=20.0)
    relay.down = False
    relay.refuse = lambda _call: False


async def test_after_an_outage_of_an_hour_every_event_is_fanned_out_once(outputs: Path) -> None:
    async with relaying(manual_clock(), outputs) as relay:
        await an_hour_of_outages(relay)
        assert relay.pubsub.published_count(NAMES.events) == 0
        assert relay.dead == 0

        # The longest pause between attempts.
        await relay.pass_time(10 * MINUTE)

        every_one = {f"evt_{number}": 1 for number in range(EVENTS)}
        assert relay.fanned_out(NAMES.events) == every_one
        assert relay.fanned_out(BLUE) == every_one
        assert relay.pubsub.backlog(NAMES.dispatch) == 0
        assert relay.dead == 0
        assert relay.pushes[503] > 5 * EVENTS


async def test_dead_letters_of_an_outage_resume_at_the_missing_routes(outputs: Path) -> None:
    async with relaying(manual_clock(), outputs, PushTimes(attempts=5)) as relay:
        await an_hour_of_outages(relay)
        await relay.pass_time(10 * MINUTE)
        given_up = relay.dead
        assert given_up > EVENTS
        # The last of them had reached one of their two routes.
        before = relay.fanned_out(BLUE)
        assert 0 < len(before) < EVENTS

        listed = await relay.hooks("dlq", "list", "--limit", "1000")
        assert len(listed["dead_letters"]) == given_up
        assert {each["reason"] for each in listed["dead_letters"]} == {"attempts-exhausted"}
        assert {each["attempts"] for each in listed["dead_letters"]} == {5}
        assert relay.dead == given_up

        replayed = await relay.hooks("dlq", "replay", "--all")
        await relay.pass_time(10 * MINUTE)

        assert len(replayed["done"]) == given_up
        every_one = {f"evt_{number}": 1 for number in range(EVENTS)}
        assert relay.fanned_out(NAMES.events) == every_one
        assert relay.fanned_out(BLUE) == every_one
        assert relay.dead == 0
        assert relay.pubsub.backlog(NAMES.dispatch) == 0
