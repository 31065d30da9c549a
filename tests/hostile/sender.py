"""The process that attacks: `python -m tests.hostile.sender`, an order in, tallies out, as JSON."""

import asyncio
import contextlib
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, takewhile
from typing import Any

import uvloop

from relay.web.connections import MAX_PIPELINED
from tests.hostile.attacks import Attacks
from tests.hostile.signers import Keys, Signer
from tests.hostile.wire import Attack

PATIENCE = 60.0
"""Seconds after which a request that must be answered is taken to hang."""

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")
_STORED = b'"status":"received"'
# How long a request that is none is left open for an answer.
_LINGER = 0.2


@dataclass(frozen=True)
class Order:
    """What to do: `requests` in all, `parallel` connections at a time, for `seconds` at most."""

    host: str
    port: int
    requests: int
    seed: int
    parallel: int
    keys: dict[str, str]
    seconds: float


@dataclass
class Tally:
    """What came of it. `answers` counts by kind and status (`none`: closed without an answer)."""

    sent: int = 0
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    """Kinds of which one was answered as though it had been stored."""
    hung: list[str] = field(default_factory=list)

    def add(self, kind: str, status: str) -> None:
        """Count one answer."""
        self.answers.setdefault(kind, Counter())[status] += 1


class Sender:
    """Sends attacks until there are enough."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._chance = random.Random(order.seed)  # noqa: S311 - not a secret
        attacks = Attacks(Signer(Keys(**order.keys), self._chance), self._chance)
        end = time.monotonic() + order.seconds
        self._attacks = takewhile(lambda _: time.monotonic() < end, islice(attacks, order.requests))
        self._next: list[Attack] = []
        self.tally = Tally()

    async def run(self) -> None:
        """Send everything; every answer is counted by then."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._order.parallel):
                group.create_task(self._attack())

    async def _attack(self) -> None:
        while batch := list(self._batch()):
            self.tally.sent += len(batch)
            left = list(batch)
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._session(batch, left)
            except TimeoutError:
                self.tally.hung.append(left[0].kind)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass
            for unanswered in left:
                self.tally.add(unanswered.kind, "none")

    def _batch(self) -> Iterator[Attack]:
        # Pipelined, each connection with its own number; nothing follows what ends a connection,
        # and what is no request comes alone: the server drops all that is on its connection.
        most = self._chance.randrange(1, MAX_PIPELINED + 2)
        for number, attack in enumerate(chain(self._next, self._attacks), 1):
            self._next = []
            if not attack.framed and number > 1:
                self._next = [attack]
                return
            yield attack
            if attack.last or number == most:
                return

    async def _session(self, batch: Sequence[Attack], left: list[Attack]) -> None:
        reader, writer = await asyncio.open_connection(self._order.host, self._order.port)
        try:
            writer.write(b"".join(attack.data for attack in batch))
            if not batch[0].framed:
                await self._rest(reader, writer, batch[0])
                left.clear()
                return
            for attack in batch:
                status = await self._answer(reader, attack)
                self.tally.add(attack.kind, status)
                left.remove(attack)
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, attack: Attack) -> str:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = _STATUS.match(head)
            if not found:
                return "malformed"
            if found[1] == b"100":
                continue
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            if _STORED in body:
                self.tally.received.append(attack.kind)
            return found[1].decode()

    async def _rest(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, attack: Attack
    ) -> None:
        # Whatever the server took it for, as many answers as it may give.
        reading = asyncio.create_task(reader.read())
        try:
            if self._chance.random() < 0.3:
                await asyncio.wait({reading}, timeout=_LINGER)
            if not reading.done():
                writer.write_eof()
            rest = await reading
        finally:
            reading.cancel()
        for status in _STATUS.findall(rest) or [b"none"]:
            self.tally.add(attack.kind, status.decode())
        if _STORED in rest:
            self.tally.received.append(attack.kind)


def _say(**known: Any) -> None:
    sys.stdout.write(json.dumps(known) + "\n")
    sys.stdout.flush()


async def _report(sender: Sender) -> None:
    while True:
        await asyncio.sleep(0.5)
        _say(sent=sender.tally.sent)


async def _main() -> None:
    sender = Sender(Order(**json.loads(sys.stdin.readline())))
    reporting = asyncio.create_task(_report(sender))
    await sender.run()
    reporting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reporting
    _say(tally=vars(sender.tally))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())
