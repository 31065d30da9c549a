"""What `hooks tail` does: it shows the events of a stack or a deployment as they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rich.text import Text

from hooks import console, stackfile
from hooks.bodies import presentable
from hooks.deployment import Deployment
from hooks.display import WIDE, document, fitting
from hooks.errors import UsageError
from hooks.subscription import Received, listening

_INDENT = " " * 9
# Of the attributes, those that tell events apart; the others are shown where there is room.
_TELLING = ("replay", "ce-subject", "reason", "scheme")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to show.

    `topic` is the short name of one of the deployment's. `types` are globs, any of which an event
    must match. `message_filter` is in Pub/Sub's syntax. `count` ends the tail, 0 does not.
    """

    topic: str
    types: Sequence[str]
    message_filter: str
    count: int
    payload: bool
    as_json: bool

    def takes(self, message: Received) -> bool:
        """Tell whether a message is shown."""
        return not self.types or any(fnmatchcase(message.type, glob) for glob in self.types)


async def tail(deployment: Deployment, options: Options) -> None:
    """Print each selected event that is published from now on, until cancelled.

    Raises `UsageError` for an unknown topic, and `NoStack` once a local stack has ended.
    """
    topics = deployment.topics
    if options.topic not in topics:
        raise UsageError(f"--topic takes one of {', '.join(topics)}, not {options.topic!r}")
    tailing = _tail(deployment, options)
    await (stackfile.beside(tailing) if deployment.local else tailing)


async def _tail(deployment: Deployment, options: Options) -> None:
    shown = 0
    topic = deployment.topics[options.topic]
    async with listening(
        topic,
        emulator=deployment.pubsub,
        message_filter=options.message_filter,
        prefix="hooks-tail",
    ) as messages:
        if not options.as_json:
            console.err.print(f"listening on {topic}", style="dim")
        async for message in messages:
            if options.takes(message):
                _print(message, options)
                shown += 1
            if shown == options.count != 0:
                return


def _print(message: Received, options: Options) -> None:
    if options.as_json:
        console.print_json(_document(message))
        return
    width = console.width()
    console.out.print(row(message, width))
    if options.payload:
        console.out.print(Text(document(presentable(message.data), width), "dim"))


def _document(message: Received) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "published": message.published.isoformat(),
        "attributes": message.attributes,
        "data": presentable(message.data),
    }


def row(message: Received, width: int) -> Text:
    """Return a message's time, type, id and attributes.

    In less than 120 columns they share one line: the id stays, and the last of type, time, replay,
    subject, reason, scheme and the other attributes give way. Else all are shown, and lines break
    between attributes.
    """
    attributes = dict(message.attributes)
    identifier = attributes.pop("ce-id", "") or attributes.pop("webhook-id", "")
    kind = f"{attributes.pop('ce-type', '-'):<27}"
    time = f"{message.published:%H:%M:%S}"
    names = sorted(attributes, key=lambda name: (_rank(name), name))
    entries = [f"{name.removeprefix('ce-')}={attributes[name]}" for name in names]
    if width >= WIDE:
        first = len(f"{time} {kind} {identifier}")
        lines = _filled(entries, first, width)
        return Text.assemble(
            (f"{time} ", "dim"), (f"{kind} ", "bold"), identifier, ("\n".join(lines), "dim")
        )
    ranked = [identifier, kind, time, *entries]
    kept = set(fitting([len(each) for each in ranked], width, 1))
    shown = [ranked[number] for number in (2, 1, 0, *range(3, len(ranked))) if number in kept]
    return Text(" ".join(shown).rstrip())


def _rank(name: str) -> int:
    return _TELLING.index(name) if name in _TELLING else len(_TELLING)


def _filled(entries: Sequence[str], taken: int, width: int) -> list[str]:
    """Return entries in lines of `width`; `taken` columns of the first are in use."""
    lines = [""]
    for entry in entries:
        if taken + 2 + len(entry) > width:
            lines.append(_INDENT + entry)
            taken = len(lines[-1])
        else:
            lines[-1] += f"  {entry}"
            taken += 2 + len(entry)
    return lines
