"""The process that stands for Gemini, as seen from the soak."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from tests.soak.account import Sent
from tests.soak.gemini import Order

_ROOT = Path(__file__).resolve().parents[2]


class Gemini:
    """`python -m tests.soak.gemini`; `url` is where the simulator answers.

    `settled` counts deliveries as they come, `sent` is the whole report once `send` has returned.
    """

    def __init__(self, process: Process) -> None:
        self.url = ""
        self.settled = 0
        self.sent = Sent()
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls) -> AsyncIterator["Gemini"]:
        """Run it while the block lasts."""
        paths = os.pathsep.join([str(_ROOT / "functions"), str(_ROOT)])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.soak.gemini"),
            stdin=PIPE,
            stdout=PIPE,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": paths},
            limit=1 << 24,
        )
        gemini = cls(process)
        try:
            gemini.url = (await _said(process))["url"]
            yield gemini
        finally:
            gemini.stop()
            await process.wait()

    async def send(self, order: Order) -> None:
        """Have the order carried out; return once everything is settled."""
        stdin = cast("asyncio.StreamWriter", self._process.stdin)
        stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        await stdin.drain()
        while "sent" not in (known := await _said(self._process)):
            self.settled = known["settled"]
        self.sent = _sent(known["sent"])
        self.settled = self.sent.deliveries

    def stop(self) -> None:
        """Have the order cut short."""
        cast("asyncio.StreamWriter", self._process.stdin).close()


async def _said(process: Process) -> Mapping[str, Any]:
    line = await cast("asyncio.StreamReader", process.stdout).readline()
    if not line:
        raise RuntimeError(f"Gemini ended with status {await process.wait()}")
    known: Mapping[str, Any] = json.loads(line)
    return known


def _sent(known: Mapping[str, Any]) -> Sent:
    hostile = {kind: Counter(answers) for kind, answers in known["hostile"].items()}
    counters = {name: Counter(known[name]) for name in ("genuine", "rotations")}
    return Sent(**{**known, **counters, "hostile": hostile})
