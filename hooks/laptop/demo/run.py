"""Runs the demo, from the start of a stack to the verdict."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from hooks.laptop.demo.account import Account, Expected, draw_up
from hooks.laptop.demo.audience import SUBSCRIBER, Audience, gathered
from hooks.laptop.demo.narrator import Narrator
from hooks.laptop.demo.script import BLUE, FILTER, ROUTES, Script
from localcloud.gemini.deliveries import Delivery
from localcloud.laptop import stack

_ARRIVAL_SECONDS = 30.0
_SETTLING_SECONDS = 3.0


@dataclass(frozen=True)
class Shown:
    """The outcome: the account, the seconds that it took, and the functions' log lines."""

    account: Account
    seconds: float
    logs: Sequence[tuple[str, str]]


async def demonstrate(narrator: Narrator) -> Shown:
    """Run the script on a stack of its own, and compare what was sent with what arrived.

    Raises `StartFailed` if a function does not start.
    """
    began = time.monotonic()
    logs: list[tuple[str, str]] = []
    narrator.step("Starting emulators, simulator, receive and dispatch")

    def on_line(name: str, line: str) -> None:
        if name == stack.BUILD:
            narrator.step(line)
        else:
            logs.append((name, line))

    options = stack.Options(routes=ROUTES, on_line=on_line)
    async with stack.run(options) as running:
        emulator = running.hosts[stack.PUBSUB]
        async with gathered(
            running.topics, FILTER, emulator=emulator, on_message=narrator.heard
        ) as audience:
            await Script(running, narrator, partial(_arrive, running, audience)).play()
            deliveries = list(running.gemini.account)
            expected = Expected.of(deliveries, _WANTED)
            account = draw_up(deliveries, audience, expected, owed=_owed(running))
    return Shown(account, time.monotonic() - began, logs)


async def _arrive(running: stack.Stack, audience: Audience) -> None:
    deliveries = list(running.gemini.account)
    expected = Expected.of(deliveries, _WANTED)

    def stored() -> bool:
        accepted = sum(attempt.succeeded for each in deliveries for attempt in each.attempts)
        return audience.ids("ingress").total() >= accepted and expected.heard_by(audience)

    if await audience.until(stored, _ARRIVAL_SECONDS):
        await _come_to_rest(running)


async def _come_to_rest(running: stack.Stack) -> None:
    # A dropped duplicate shows only as an empty backlog. An emulator that is not ours does not tell
    # its backlog, so that it is given some seconds.
    if running.pubsub is None:
        await asyncio.sleep(_SETTLING_SECONDS)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ARRIVAL_SECONDS):
            while _owed(running):  # noqa: ASYNC110 - the backlog can only be polled
                await asyncio.sleep(0.02)


def _owed(running: stack.Stack) -> int | None:
    return running.pubsub.backlog(running.names.dispatch) if running.pubsub else None


def _metadata(delivery: Delivery) -> object:
    return json.loads(delivery.message.body).get("user_metadata", {})


def _blue(delivery: Delivery) -> bool:
    return _metadata(delivery) == BLUE


_WANTED: dict[str, Callable[[Delivery], bool]] = {
    "ingress": lambda _: True,
    "events": lambda _: True,
    "blue": lambda each: each.event_type.startswith("batch.") and _blue(each),
    "dead-letter": lambda _: False,
    SUBSCRIBER: lambda each: each.event_type.startswith("interaction.") or _blue(each),
}
