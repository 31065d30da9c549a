"""Child processes that answer each line of input with a line of output."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import on

ROOT = Path(__file__).resolve().parents[1]


class ChildFailed(Exception):
    """A child process ended early; its standard error says why."""


@dataclass(frozen=True)
class Child:
    """A process that answers each line on its standard input with one on its standard output."""

    process: Process
    greeting: str

    async def ask(self, line: str) -> str:
        """Send one line, and return the line that answers it; raises `ChildFailed`."""
        if self.process.stdin:
            self.process.stdin.write(line.encode() + b"\n")
            # A child that has ended is noticed when its answer is missing.
            with contextlib.suppress(ConnectionError):
                await self.process.stdin.drain()
        return await _line(self.process)


@asynccontextmanager
async def child(
    *command: str | Path,
    environ: Mapping[str, str] | None = None,
    cores: Collection[int] | None = None,
) -> AsyncIterator[Child]:
    """Run a command, on `cores` if given, until the block ends.

    The block begins once the command has written its first line. Closing its standard input ends
    it. Raises `ChildFailed`.
    """
    with on(cores or os.sched_getaffinity(0)):
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, cwd=ROOT, env={**os.environ, **(environ or {})}
        )
    try:
        yield Child(process, await _line(process))
    finally:
        await _end(process)


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of the benchmark."""
    return (sys.executable, "-m", name, *arguments)


async def _line(process: Process) -> str:
    line = await process.stdout.readline() if process.stdout else b""
    if not line:
        raise ChildFailed(f"process {process.pid} ended; its reason is above")
    return line.decode().strip()


async def _end(process: Process) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), timeout=5)
    except TimeoutError:
        process.kill()
        await process.wait()
