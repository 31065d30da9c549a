"""What `hooks listen` does: it sends each event to a URL until that answers with success."""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from hooks import console, stackfile
from hooks.deployment import Deployment
from hooks.display import wrapped
from hooks.errors import UsageError
from hooks.events import retained
from hooks.events.listen.chooser import choosing
from hooks.events.listen.delivering import Delivering, Feed
from hooks.events.listen.forward import Answer, Forwarder, OnAnswer, row
from hooks.events.listen.past import Past
from hooks.events.listen.record import Record
from hooks.subscription import Received, listening
from localcloud.core.clock import SystemClock
from localcloud.pubsub.filter_parser import FilterSyntaxError, parse_filter
from localcloud.pubsub.identity import shaped_identity_token
from localcloud.pubsub.sender import HttpSender
from relay.dispatcher.routes import EVENTS

_PREFIX = "hooks-listen"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to send where.

    `types` are globs, any of which an event must match; `message_filter` is in Pub/Sub's syntax.
    With `since`, in UTC, events of the past come first. `count` ends it after that many events were
    accepted, 0 does not.
    """

    url: str
    types: Sequence[str]
    message_filter: str
    since: datetime | None
    count: int
    as_json: bool

    def takes(self, message: Received) -> bool:
        """Tell whether an event is of one of the types."""
        return not self.types or any(fnmatchcase(message.type, glob) for glob in self.types)


async def listen(deployment: Deployment, options: Options) -> None:
    """Send each selected event to the URL, until cancelled.

    Raises `UsageError` for a wrong URL or filter, or if the past is not retained, and `NoStack`
    once a local stack has ended.
    """
    _check(options)
    working = _listen(deployment, options)
    await (stackfile.beside(working) if deployment.local else working)


async def resend(identifier: str, *, json: bool) -> bool:
    """Send an event again that was sent from this directory; return whether it was accepted.

    Raises `HooksError` if none has that id.
    """
    sent = Record(Path.cwd()).find(identifier)
    async with _forwarder(sent.url, sent.project) as forwarder:
        answer = await forwarder.forward(sent.message, 1)
    _print(answer, as_json=json)
    return answer.accepted


def _check(options: Options) -> None:
    try:
        parts = urlsplit(options.url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise UsageError(
            f"--forward-to {options.url!r} is not a URL, for example http://127.0.0.1:8080/events"
        )
    try:
        parse_filter(options.message_filter)
    except FilterSyntaxError as error:
        raise UsageError(f"--filter {options.message_filter!r}: {error}") from None


async def _listen(deployment: Deployment, options: Options) -> None:
    record = Record(Path.cwd())
    record.begin()
    async with contextlib.AsyncExitStack() as stack:
        feeds = await _feeds(deployment, options, stack)
        forwarder = await stack.enter_async_context(_forwarder(options.url, deployment.project))
        delivering = Delivering(forwarder, record, options.count)
        delivering.on_answer = stack.enter_context(_shown(options, delivering.again))
        if not options.as_json:
            told = f"sending the events of {deployment.topics[EVENTS]} to {options.url}"
            console.err.print(wrapped(told, "  ", console.width()), style="dim")
        await delivering.run(feeds)


@contextlib.asynccontextmanager
async def _forwarder(url: str, project: str) -> AsyncIterator[Forwarder]:
    clock, sender = SystemClock(), HttpSender()
    try:
        yield Forwarder(url, project, shaped_identity_token(clock), sender, clock)
    finally:
        await sender.close()


@contextlib.contextmanager
def _shown(options: Options, again: Callable[[Received], None]) -> Iterator[OnAnswer]:
    if options.as_json or not (sys.stdin.isatty() and console.out.is_terminal):
        yield lambda answer: _print(answer, as_json=options.as_json)
        return
    with choosing(sys.stdin.fileno(), again) as add:
        yield add


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        console.print_json(answer.facts())
    else:
        console.out.print(row(answer, console.width()))


async def _feeds(
    deployment: Deployment, options: Options, stack: contextlib.AsyncExitStack
) -> list[Feed]:
    """Subscribe to the events from now on, and to those of the past where they are retained."""
    events, now = deployment.topics[EVENTS], datetime.now(UTC)

    async def feed(
        topic: str,
        message_filter: str,
        since: datetime | None,
        read: Callable[[Received], Received | None],
    ) -> Feed:
        listener = await stack.enter_async_context(
            listening(
                topic,
                emulator=deployment.pubsub,
                message_filter=message_filter,
                prefix=_PREFIX,
                since=since,
                hold=True,
            )
        )
        return Feed(listener, lambda message: _taken(read(message), options))

    since = options.since
    if not since or await retained.kept(deployment, events) >= now - since:
        return [await feed(events, options.message_filter, since, lambda message: message)]
    start = retained.earliest(now, await retained.retention(deployment), since)
    past = Past(deployment, parse_filter(options.message_filter), since, now)
    return [
        await feed(events, options.message_filter, None, past.of_now),
        await feed(deployment.ingress, retained.message_filter(()), start, past.of_ingress),
    ]


def _taken(message: Received | None, options: Options) -> Received | None:
    return message if message and options.takes(message) else None
