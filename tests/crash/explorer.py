"""Every order in which processes can take their steps, with deaths and failures at each of them.

A process is real code that makes its calls through a seam. Between two calls it does only what
follows from the replies so far, so its next call is found by running it again with these replies;
that is done once for each history of replies. What all processes share is an immutable value, so
the orders that lead to the same state are followed once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from typing import Any, Self

from relay.errors import PublishUnavailable, RelayError
from relay.gcp.store import Conflict, LedgerUnavailable
from tests.crash.virtual import runner

Frozen = Any
"""A value that can be hashed: mappings as `Map`, lists as tuples."""

ERRORS: Mapping[str, type[RelayError]] = {
    "conflict": Conflict,
    "unavailable": LedgerUnavailable,
    "unpublished": PublishUnavailable,
}


class Map(tuple[tuple[str, Frozen], ...]):
    """A mapping, frozen."""

    __slots__ = ()


def freeze(value: Any) -> Frozen:
    if isinstance(value, Mapping):
        return Map((name, freeze(value[name])) for name in sorted(value))
    return tuple(map(freeze, value)) if isinstance(value, list) else value


def thaw(value: Frozen) -> Any:
    if isinstance(value, Map):
        return {name: thaw(entry) for name, entry in value}
    return [thaw(each) for each in value] if isinstance(value, tuple) else value


class Document:
    """A document as it is at one time; there is one object for the same fields.

    It is its own version: none of ours ever returns to what it was.
    """

    def __init__(self, frozen: Map) -> None:
        self.fields: dict[str, Any] = thaw(frozen)


@cache
def _document(frozen: Map) -> Document:
    return Document(frozen)


def document(fields: Mapping[str, Any]) -> Document:
    """Return the document with these fields."""
    return _document(freeze(fields))


@cache
def changed(before: Document | None, fields: Map) -> Document:
    """Return a document after a write of some of its fields, or a new one."""
    return document({**(before.fields if before else {}), **thaw(fields)})


@dataclass(frozen=True)
class Call:
    """One call through a seam; `arguments` are frozen."""

    name: str
    arguments: tuple[Frozen, ...]


@dataclass(frozen=True)
class Reply:
    """What a call returns, frozen, or the name of what it raises."""

    value: Frozen = None
    error: str = ""


@dataclass(frozen=True)
class Ended:
    """The outcome of a process that has returned."""

    outcome: object


History = tuple[Reply, ...]


class Seam:
    """Answers a process's calls from its history, and stops it at the first one beyond."""

    def __init__(self, history: History) -> None:
        self._replies = iter(history)
        self.reached: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

    async def call(self, name: str, *arguments: Any) -> Any:
        reply = next(self._replies, None)
        if reply is None:
            self.reached.set_result(Call(name, tuple(map(freeze, arguments))))
            await asyncio.Event().wait()
        assert reply is not None
        if reply.error:
            raise ERRORS[reply.error]("as told")
        return reply.value


@dataclass(frozen=True)
class Identity:
    """A process: what it handles, and the how-manieth to do so."""

    handles: str
    number: int


Program = Callable[[Identity, Seam], Coroutine[Any, Any, object]]


class Process:
    """A process that has got so many replies; there is one object for the same replies."""

    def __init__(self, identity: Identity, history: History, run: "Run") -> None:
        self.identity = identity
        self._history = history
        self._run = run
        self._following: dict[Reply, Process] = {}
        self.next = run(identity, history)

    def after(self, reply: Reply) -> "Process":
        """Return the process with one reply more."""
        if reply not in self._following:
            history = (*self._history, reply)
            self._following[reply] = Process(self.identity, history, self._run)
        return self._following[reply]


Run = Callable[[Identity, History], Call | Ended]


class Processes:
    """Starts processes, and finds the next call of each by running it."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._runner = runner()
        self._begun: dict[Identity, Process] = {}

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._runner.close()

    def begin(self, identity: Identity) -> Process:
        """Return the process without any reply."""
        if identity not in self._begun:
            self._begun[identity] = Process(identity, (), self._run)
        return self._begun[identity]

    def _run(self, identity: Identity, history: History) -> Call | Ended:
        return self._runner.run(self._running(identity, history))

    async def _running(self, identity: Identity, history: History) -> Call | Ended:
        seam = Seam(history)
        running = asyncio.ensure_future(self._program(identity, seam))
        # A process sleeps in virtual time only, so either happens at once.
        either: set[asyncio.Future[Any]] = {running, seam.reached}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return Ended(running.result())
        running.cancel()
        await asyncio.wait({running})
        return seam.reached.result()


Counts = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class State:
    """All that the processes share, and how far each has come.

    `published` and `queue` count messages by their ids; `begun` counts the processes that have been
    started, by what they handle.
    """

    documents: frozenset[tuple[str, Document]]
    published: Counts = frozenset()
    queue: Counts = frozenset()
    begun: Counts = frozenset()
    alive: frozenset[Process] = frozenset()
    faults: int = 0

    def fields(self, path: str) -> Mapping[str, Any]:
        """Return the fields of a document; empty if it does not exist."""
        return next((each.fields for name, each in self.documents if name == path), {})

    def collection(self, name: str) -> list[Mapping[str, Any]]:
        """Return the fields of every document of a collection."""
        return [each.fields for path, each in self.documents if path.startswith(f"{name}/")]


def added(counts: Counts, name: str, number: int) -> Counts:
    """Return counts with one changed, which does not fall below zero; zeros are left out."""
    changed = dict(counts)
    changed[name] = max(0, changed.get(name, 0) + number)
    return frozenset((each, count) for each, count in changed.items() if count)


class Fault(Enum):
    """What happens to a process."""

    DEATH = "death"
    """It dies, before its call's effect or after it."""
    FAILURE = "failure"
    """Its call fails, before its effect or after it."""
    LOST_REPLY = "lost-reply"
    """The reply to its write is lost, and the client tries the same again."""
    FREEZE = "freeze"
    """It is frozen, for as long as it takes others to go on, while another of its kind begins."""


class Start(Enum):
    """When a process may begin."""

    NOW = "now"
    """At any time from now on: nothing that others do prevents it."""
    ANY_TIME = "any-time"
    """Now; what others do may prevent it."""
    STALLED = "stalled"
    """Only if another that handles the same is frozen."""


Effect = Callable[[State, Call], tuple[State, Reply]]
WRITES = frozenset({"create", "update", "commit"})


@dataclass
class Explorer:
    """Follows every order from a state, as far as orders differ in how they end.

    `starts` yields the processes that may begin, and when. `apart` says that a call concerns nobody
    but the processes that handle the same: whether it comes before or after what others do makes no
    difference, so one order is enough, and the same holds for a begin. `acknowledged` says whether
    an outcome takes its message off the queue.

    Each fault of the given kinds costs one of the state's `faults`.
    """

    processes: Processes
    effect: Effect
    starts: Callable[[State], Iterable[tuple[str, Start]]]
    apart: Callable[[State, Call], bool]
    acknowledged: Callable[[object], bool]
    kinds: frozenset[Fault] = frozenset(Fault)
    came_from: dict[State, tuple[State, str] | None] = field(default_factory=dict)

    def ends(self, first: State) -> Iterator[State]:
        """Yield every state in which nothing is left to happen, once."""
        self.came_from = {first: None}
        stack = [first]
        while stack:
            state = stack.pop()
            following = self._alone(state)
            if not following:
                following = list(self._steps(state))
                if not following:
                    yield state
                if state.faults:
                    following += self._faults(state)
            for label, after in following:
                if after not in self.came_from:
                    self.came_from[after] = (state, label)
                    stack.append(after)

    def story(self, state: State) -> str:
        """Return how a state came about, a line for each step."""
        lines: list[str] = []
        came = self.came_from[state]
        while came is not None:
            lines.insert(0, came[1])
            came = self.came_from[came[0]]
        return "\n".join(lines)

    def _alone(self, state: State) -> list[tuple[str, State]]:
        """Return the one step that is enough here, if there is one."""
        for handles, start in self.starts(state):
            if start is Start.NOW:
                return [(f"{handles} begins", self._begun(state, handles))]
        if state.faults:
            return []
        alive = Counter(process.identity.handles for process in state.alive)
        for process in state.alive:
            if alive[process.identity.handles] == 1 and self.apart(state, _call(process)):
                return [self._step(state, process)]
        return []

    def _step(self, state: State, process: Process) -> tuple[str, State]:
        call = _call(process)
        after, reply = self.effect(state, call)
        return _label(process, call, reply), self._replied(after, process, reply)

    def _steps(self, state: State) -> Iterator[tuple[str, State]]:
        for handles, start in self.starts(state):
            if start is Start.ANY_TIME:
                yield f"{handles} begins", self._begun(state, handles)
        for process in state.alive:
            yield self._step(state, process)

    def _faults(self, state: State) -> Iterator[tuple[str, State]]:
        spent = replace(state, faults=state.faults - 1)
        if Fault.FREEZE in self.kinds:
            for handles, start in self.starts(state):
                if start is Start.STALLED:
                    yield f"{handles} begins while another is frozen", self._begun(spent, handles)
        for process in state.alive:
            call = _call(process)
            after, _ = self.effect(spent, call)
            label = _label(process, call, Reply())
            for moment, there in (("before", spent), ("after", after)):
                if Fault.DEATH in self.kinds:
                    dead = replace(there, alive=there.alive - {process})
                    yield f"{label} dies {moment}", dead
                if Fault.FAILURE in self.kinds:
                    error = "unpublished" if call.name == "publish" else "unavailable"
                    failed = self._replied(there, process, Reply(error=error))
                    yield f"{label} fails {moment}", failed
            if Fault.LOST_REPLY in self.kinds and call.name in WRITES:
                again, reply = self.effect(after, call)
                yield f"{label} is sent twice", self._replied(again, process, reply)

    def _begun(self, state: State, handles: str) -> State:
        begun = added(state.begun, handles, 1)
        process = self.processes.begin(Identity(handles, dict(begun)[handles]))
        return replace(state, begun=begun, alive=state.alive | {process})

    def _replied(self, state: State, process: Process, reply: Reply) -> State:
        following = process.after(reply)
        alive = state.alive - {process}
        if isinstance(following.next, Call):
            return replace(state, alive=alive | {following})
        if not self.acknowledged(following.next.outcome):
            return replace(state, alive=alive)
        queue = added(state.queue, process.identity.handles, -1)
        return replace(state, alive=alive, queue=queue)


def _call(process: Process) -> Call:
    assert isinstance(process.next, Call)
    return process.next


def _label(process: Process, call: Call, reply: Reply) -> str:
    identity = process.identity
    outcome = f" {reply.error}" if reply.error else ""
    return f"{identity.handles} {identity.number}: {call.name}{outcome}"
