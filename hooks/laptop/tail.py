"""Showing the events of a running stack as they come."""

import asyncio
from fnmatch import fnmatchcase
from typing import Any

from rich.text import Text

from hooks import console, stackfile
from hooks.bodies import presentable
from hooks.errors import NoStack, UsageError
from hooks.subscription import Received, listening


async def tail(
    topic: str, type_glob: str, message_filter: str, *, count: int, as_json: bool
) -> None:
    """Print each event of a topic from now on whose type matches, until cancelled.

    `topic` is one of the running stack's, by its short name. Ends after `count` events, if that is
    not 0. Raises `NoStack`, also when the stack ends, and `UsageError`.
    """
    running = stackfile.find()
    if topic not in running.topics:
        raise UsageError(f"--topic takes one of {', '.join(running.topics)}, not {topic!r}")
    emulator = running.variables["PUBSUB_EMULATOR_HOST"]
    printing = asyncio.ensure_future(
        _tail(running.topics[topic], type_glob, message_filter, emulator, count, as_json=as_json)
    )
    ending = asyncio.ensure_future(stackfile.until_ended())
    try:
        await asyncio.wait({printing, ending}, return_when=asyncio.FIRST_COMPLETED)
        if printing.done():
            return printing.result()
    finally:
        printing.cancel()
        ending.cancel()
        await asyncio.gather(printing, ending, return_exceptions=True)
    raise NoStack("the stack has ended")


async def _tail(
    topic: str, type_glob: str, message_filter: str, emulator: str, count: int, *, as_json: bool
) -> None:
    shown = 0
    async with listening(
        topic, emulator=emulator, message_filter=message_filter, prefix="hooks-tail"
    ) as messages:
        if not as_json:
            console.err.print(f"listening on {topic}", style="dim")
        async for message in messages:
            if fnmatchcase(_type(message), type_glob):
                console.print_json(_document(message)) if as_json else _print(message)
                shown += 1
            if shown == count != 0:
                return


def _type(message: Received) -> str:
    return message.attributes.get("ce-type", "")


def _document(message: Received) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "published": message.published.isoformat(),
        "attributes": message.attributes,
        "data": presentable(message.data),
    }


def _print(message: Received) -> None:
    attributes = dict(message.attributes)
    identifier = attributes.pop("ce-id", attributes.pop("webhook-id", ""))
    shown = Text.assemble(
        (f"{message.published:%H:%M:%S} ", "dim"),
        (f"{attributes.pop('ce-type', '-'):<28} ", "bold"),
        identifier,
    )
    for name in sorted(attributes):
        shown.append(f"  {name}=", "dim").append(attributes[name])
    console.out.print(shown)
    console.out.print(Text(f"         {message.data.decode(errors='replace')}", "dim"))
