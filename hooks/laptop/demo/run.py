"""Runs the demo from its start to its verdict."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    """The outcome: the account, how long it all took, and what the functions last wrote."""

    account: Account
    seconds: float
    logs: Sequence[tuple[str, str]]


async def demonstrate(narrator: Narrator) -> Shown:
    """Play the whole script on a stack of its own, and draw up the account.

    Raises `StartFailed` if a function does not start.
    """
    began = time.monotonic()
    logs: list[tuple[str, str]] = []
    narrator.step("Starting emulators, simulator, receive and dispatch")
    options = stack.Options(routes=ROUTES, on_line=lambda name, line: logs.append((name, line)))
    async with stack.run(options) as running:
        emulator = running.hosts[stack.PUBSUB]
        async with gathered(
            running.topics, FILTER, emulator=emulator, on_message=narrator.heard
        ) as audience:
            await Script(running, narrator).play()
            deliveries = list(running.gemini.account)
            expected = Expected.of(deliveries, _WANTED)
            narrator.step("What is still on its way")
            await _arrive(running, deliveries, expected, audience)
            account = draw_up(deliveries, audience, expected, owed=_owed(running))
    return Shown(account, time.monotonic() - began, logs)


async def _arrive(
    running: stack.Stack, deliveries: Sequence[Delivery], expected: Expected, audience: Audience
) -> None:
    def stored() -> bool:
        accepted = sum(attempt.succeeded for each in deliveries for attempt in each.attempts)
        return audience.ids("ingress").total() >= accepted and expected.heard_by(audience)

    if await audience.until(stored, _ARRIVAL_SECONDS):
        await _come_to_rest(running)


async def _come_to_rest(running: stack.Stack) -> None:
    # What is to be dropped shows nowhere when it is: only an empty backlog tells, and an emulator
    # that is not ours tells nothing, so that it is given a while.
    if running.pubsub is None:
        await asyncio.sleep(_SETTLING_SECONDS)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ARRIVAL_SECONDS):
            while _owed(running):  # noqa: ASYNC110 - it tells only when asked
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
