"""A stream goes on over cuts, silence and repetitions, and ends when the job has."""

import functools
import operator
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_relay.errors import NotFound, Refused, Unavailable
from gemini_relay.streaming import Follower
from tests.client.conftest import FakeClock

SEEDS = 1000


class Event(SimpleNamespace):
    """An event as the SDK makes it; of an unknown kind `raw` alone has the id."""


def event(number: int, kind: str = "step.delta", **more: Any) -> Event:
    return Event(event_type=kind, event_id=f"e{number}", text=f"t{number}", **more)


def unnamed(text: str) -> Event:
    return Event(event_type="step.delta", event_id=None, text=text)


def unknown(number: int) -> Event:
    raw = {"event_type": "thought.flash", "event_id": f"e{number}"}
    return Event(event_type="UNKNOWN", raw=raw, is_unknown=True)


def last(number: int, status: str = "completed") -> Event:
    return event(number, "interaction.completed", interaction={"status": status})


@dataclass
class Server:
    """A stream that is cut as `plan` says: how many events each connection gives, and its end.

    `repeats_all` makes a resume start from the beginning, as if it had not said where it was.
    """

    events: list[Event]
    plan: Callable[[int], tuple[int, str]]
    repeats_all: Callable[[int], bool] = lambda _number: False
    asked: list[str | None] = field(default_factory=list)
    over: bool = True
    looks: int = 0

    async def open(self, after: str | None) -> "Connection":
        self.asked.append(after)
        count, ending = self.plan(len(self.asked))
        if ending == "unavailable":
            raise Unavailable("no connection")
        start = 0
        if after is not None and not self.repeats_all(len(self.asked)):
            start = 1 + next(
                place for place, each in enumerate(self.events) if identifier(each) == after
            )
        return Connection(self.events[start:][:count], ending)

    async def look(self) -> bool:
        self.looks += 1
        return self.over


@dataclass
class Connection:
    events: list[Event]
    ending: str
    closed: bool = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        for each in self.events:
            yield each
        if self.ending == "torn":
            yield '{"event_type":"step.del'
        if self.ending == "silence":
            # What `asyncio.timeout` raises after `idle` seconds.
            raise TimeoutError
        if self.ending == "broken":
            raise ConnectionResetError

    async def close(self) -> None:
        self.closed = True


def identifier(each: Event) -> str | None:
    return getattr(each, "event_id", None) or getattr(each, "raw", {}).get("event_id")


def planned(plan: list[tuple[int, str]], number: int) -> tuple[int, str]:
    return plan[number - 1] if number <= len(plan) else (999, "done")


async def follow(
    server: Server, *, after: str | None = None, over: Callable[[], Awaitable[bool]] | None = None
) -> list[Any]:
    follower = Follower(
        server.open, over or server.look, after=after, idle=5.0, sleep=FakeClock().sleep
    )
    return [each async for each in follower.events()]


async def test_a_thousand_seeded_cuts_lose_and_repeat_no_event_that_has_an_id() -> None:
    for seed in range(SEEDS):
        chosen = random.Random(seed)  # noqa: S311 - it decides what happens in a test
        events: list[Event] = []
        for number in range(chosen.randrange(1, 30)):
            kind = chosen.random()
            made = unknown(number) if kind < 0.15 else event(number)
            events.append(made if kind < 0.7 else unnamed(f"u{number}"))
        events.append(last(99, chosen.choice(["completed", "failed", "cancelled"])))
        endings = ["array", "torn", "silence", "broken", "unavailable"]
        cuts = [
            (chosen.randrange(0, 8), chosen.choice(endings)) for _ in range(chosen.randrange(12))
        ]
        # Never so many connections in a row without an event that the GET decides.
        plan = [
            (max(1, count) if place % 4 == 3 else count, "array" if place % 4 == 3 else ending)
            for place, (count, ending) in enumerate(cuts)
        ]
        forgetful = {number for number in range(2, 30) if chosen.random() < 0.2}
        server = Server(
            events,
            functools.partial(planned, plan),
            functools.partial(operator.contains, forgetful),
            over=False,
        )
        got = await follow(server)
        assert got == events, f"seed {seed}"


async def test_an_event_without_an_id_is_dropped_only_where_a_resume_repeats_it_unchanged() -> None:
    events = [event(1), unnamed("a"), unnamed("b"), last(2)]
    cut_once = Server(events, lambda number: (3, "array") if number == 1 else (9, "done"))
    assert await follow(cut_once) == events

    changed = Server(events, lambda number: (2, "array") if number == 1 else (9, "done"))
    connect = changed.open

    async def other(after: str | None) -> Connection:
        connection = await connect(after)
        if after is not None:
            connection.events[0] = unnamed("a, differently")
        return connection

    changed.open = other  # type: ignore[method-assign]
    texts = [getattr(each, "text", "") for each in await follow(changed)]
    assert texts == ["t1", "a", "a, differently", "b", "t2"]


async def test_a_resume_begins_after_the_last_id_and_after_the_one_given() -> None:
    events = [event(1), event(2), last(3)]
    server = Server(events, lambda number: (1, "array") if number == 1 else (9, "done"))
    assert await follow(server, after="e1") == events[1:]
    assert server.asked == ["e1", "e2"]


@pytest.mark.parametrize("ending", ["array", "silence", "torn", "broken", "unavailable"])
async def test_a_stream_that_gives_nothing_more_ends_when_a_plain_get_says_so(ending: str) -> None:
    server = Server([event(1)], lambda number: (1, "array") if number == 1 else (0, ending))
    answers = iter([False, False, True])

    async def over() -> bool:
        return next(answers)

    assert await follow(server, over=over) == [event(1)]
    assert next(answers, None) is None


async def test_five_resumes_without_an_event_are_followed_by_one_get() -> None:
    server = Server([], lambda _number: (0, "array"))
    assert await follow(server) == []
    assert (len(server.asked), server.looks) == (1 + 5, 1)


async def test_a_stream_that_gives_nothing_while_the_job_runs_is_asked_for_ever_more_rarely() -> (
    None
):
    time = FakeClock()
    answers = iter([False] * 20 + [True])

    async def over() -> bool:
        return next(answers)

    server = Server([], lambda _number: (0, "unavailable"))
    follower = Follower(server.open, over, after=None, idle=5.0, sleep=time.sleep)
    assert [each async for each in follower.events()] == []
    assert max(time.slept) == 60
    assert len(server.asked) / sum(time.slept) < 1 / 7


async def test_what_came_after_a_silence_is_still_delivered_where_the_job_has_ended() -> None:
    events = [event(1), event(2), event(3)]
    server = Server(events, lambda number: (1, "silence") if number == 1 else (9, "array"))
    assert await follow(server) == events
    assert server.looks == 1


@pytest.mark.parametrize("status", ["failed", "cancelled", "incomplete", "budget_exceeded"])
async def test_an_end_in_any_form_ends_the_stream(status: str) -> None:
    forms = [
        last(1, status),
        event(1, "interaction.status_update", status=status),
        Event(
            event_type="UNKNOWN",
            raw={"event_type": f"interaction.{status}", "interaction": {"status": status}},
        ),
    ]
    for form in forms:
        server = Server([form], lambda _number: (9, "array"))
        assert await follow(server) == [form]
        assert (len(server.asked), server.looks) == (1, 0)


async def test_a_step_that_has_ended_does_not_end_the_stream() -> None:
    raw = {"event_type": "step.status_update", "event_id": "e2", "status": "completed"}
    step = Event(event_type="UNKNOWN", raw=raw, is_unknown=True)
    events = [event(1), step, event(3), last(4)]
    server = Server(events, lambda number: (2, "array") if number == 1 else (9, "done"))
    assert await follow(server) == events


async def test_a_connection_that_cannot_be_closed_is_resumed_all_the_same() -> None:
    class Unclosable(Connection):
        async def close(self) -> None:
            raise OSError

    server = Server([event(1), last(2)], lambda _number: (1, "array"))
    connect = server.open

    async def unclosable(after: str | None) -> Connection:
        connection = await connect(after)
        return Unclosable(connection.events, connection.ending)

    server.open = unclosable  # type: ignore[method-assign]
    assert await follow(server) == server.events


async def test_a_completed_event_that_asks_to_go_on_is_no_end() -> None:
    events = [last(1, "requires_continuation"), last(2)]
    server = Server(events, lambda _number: (1, "array"))
    assert await follow(server) == events


async def test_an_error_event_is_followed_by_a_question_at_once() -> None:
    server = Server([event(1, "error")], lambda _number: (9, "array"))
    assert await follow(server) == [event(1, "error")]
    assert server.looks == 1


async def test_an_id_that_gemini_has_forgotten_is_resumed_from_the_start() -> None:
    events = [event(1), unnamed("u"), event(2), last(3)]
    server = Server(events, lambda number: (3, "array") if number == 1 else (9, "done"))
    connect = server.open

    async def forgetful(after: str | None) -> Connection:
        if after is not None:
            raise Refused(400, "INVALID_ARGUMENT")
        return await connect(after)

    server.open = forgetful  # type: ignore[method-assign]
    assert await follow(server) == events

    with pytest.raises(Refused):
        await follow(server, after="e-of-the-caller")


async def test_a_job_that_is_gone_ends_the_stream_with_an_error() -> None:
    async def gone() -> bool:
        raise NotFound("gone")

    with pytest.raises(NotFound):
        await follow(Server([], lambda _number: (0, "array")), over=gone)
