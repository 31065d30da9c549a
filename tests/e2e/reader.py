"""A reader of the documents: the blocks of a page, and a checkout to run its commands in."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Page:
    """A Markdown page, as `(language, text)` blocks."""

    def __init__(self, path: str) -> None:
        text = (ROOT / path).read_text("utf-8")
        self.blocks: list[tuple[str, str]] = re.findall(
            r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        )

    @property
    def languages(self) -> set[str]:
        return {language for language, _ in self.blocks}

    @property
    def commands(self) -> list[str]:
        """Every line of every shell block, continued lines joined, comments left out."""
        texts = [text for language, text in self.blocks if language == "sh"]
        return [line for text in texts for line in commands(text)]

    def block(self, language: str, containing: str) -> str:
        """Return the one block of that language that contains a text."""
        (found,) = [text for kind, text in self.blocks if kind == language and containing in text]
        return found


def commands(text: str) -> list[str]:
    """The commands of a shell block, continued lines joined, comments left out."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def lay_checkout(directory: Path) -> Path:
    """Make `directory` a checkout as a reader has it after the first `make`."""
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "build":
            (directory / entry.name).symlink_to(entry)
    # The environment that runs the tests is the one that `make` would make, and takes its place;
    # whether it is complete is marked for each checkout.
    (directory / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if not entry.name.startswith("."):
            (directory / ".venv" / entry.name).symlink_to(entry)
    database = subprocess.run(
        ["make", "-pn", "help"],
        cwd=directory,
        env=variables(),
        capture_output=True,
        check=True,
    )
    (ready,) = re.findall(r"^READY := (\S+)$", database.stdout.decode(), re.MULTILINE)
    (directory / ready).touch()
    return directory


def variables() -> dict[str, str]:
    """The environment of a reader's shell, which has no environment activated."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHON": sys.executable,
        # As on a terminal, each line is seen at once.
        "PYTHONUNBUFFERED": "1",
        # What several tests start at a time cannot share the ports that a reader gets.
        "HOOKS_PORT_BASE": "0",
    }


@contextlib.asynccontextmanager
async def shell(
    script: str, directory: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a script as a reader would paste it, in a session of its own that ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", script),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
        env=variables() | dict(environ or {}),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        await process.communicate()


async def output(
    script: str, directory: Path, environ: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a script to its end; return its exit status and all that it said."""
    async with shell(script, directory, environ) as process:
        text, _ = await process.communicate()
        return process.returncode or 0, text.decode()


async def succeed(script: str, directory: Path, environ: Mapping[str, str] | None = None) -> str:
    """Run a script that must exit with status 0; return all that it said."""
    status, said = await output(script, directory, environ)
    assert status == 0, said
    return said


async def line(process: asyncio.subprocess.Process, containing: str) -> str:
    """Return the next line that contains a text; fail with all there was if none comes."""
    return (await lines(process, containing))[-1]


async def lines(process: asyncio.subprocess.Process, until: str) -> list[str]:
    """Return the next lines, up to one that contains a text; fail if none comes."""
    assert process.stdout
    seen = []
    async with asyncio.timeout(60):
        while text := (await process.stdout.readline()).decode():
            seen.append(text)
            if until in text:
                return seen
    raise AssertionError("".join(seen))


async def exported(directory: Path) -> dict[str, str]:
    """The variables that `hooks env` gives a reader of the stack in a directory."""
    return dict(
        re.findall(
            r"^export (\w+)=(\S+)$",
            await succeed(".venv/bin/hooks env", directory),
            re.MULTILINE,
        )
    )
