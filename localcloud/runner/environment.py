"""A Python environment that holds what a lock pins and nothing else, as a deployed function has it.

It is built as the Python buildpack builds one: `pip install --requirement requirements.txt`, with
the pip that comes with the interpreter.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

from localcloud.core.errors import LocalCloudError

_KEPT_LINES = 50


class BuildFailed(LocalCloudError):
    """The lock cannot be installed; `output` holds the last lines of the build's log."""

    def __init__(self, requirements: Path, output: tuple[str, ...]) -> None:
        log = "".join(f"\n  {line}" for line in output)
        super().__init__(f"{requirements} cannot be installed:{log}")
        self.output = output


def user_cache() -> Path:
    """Return the directory in which environments of this user outlive their process."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gemini-webhook-relay"


async def build(requirements: Path, cache: Path) -> Path:
    """Return the Python of an environment in `cache` that holds what `requirements` pins.

    The environment is built once for each lock and interpreter, by whichever process comes first;
    the others wait for it. One that was left half built is built anew. Raises `BuildFailed`.
    """
    place = _place(requirements, cache)
    python, ready = place / "bin" / "python", place / ".ready"
    if not ready.exists():
        async with _locked(place.with_suffix(".lock")):
            if not ready.exists():
                await _install(requirements, place, python)
                ready.touch()
    return python


def _place(requirements: Path, cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    interpreter = f"{sys.version}\n{sys.base_prefix}\n".encode()
    return cache / hashlib.sha256(interpreter + requirements.read_bytes()).hexdigest()[:16]


async def _install(requirements: Path, place: Path, python: Path) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--no-input")
    for command in (
        (sys.executable, "-m", "venv", "--clear", str(place)),
        (str(python), "-m", "pip", "install", *options, "--requirement", str(requirements)),
    ):
        status, output = await _run(*command)
        if status:
            raise BuildFailed(requirements, tuple(output.splitlines()[-_KEPT_LINES:]))


async def _run(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return await process.wait(), output.decode(errors="replace")


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """Hold a lock between processes, which ends with the process at the latest."""
    with path.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield
