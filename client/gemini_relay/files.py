"""Downloads what a job has made into a directory; a download that is cut leaves no file."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from gemini_relay.errors import JobsError
from gemini_relay.gemini import Gemini, path_of
from gemini_relay.job import Job
from relay.jobs import names
from relay.jobs.replies import Seen

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def sources(job: Job, seen: Seen) -> Iterator[tuple[str, str]]:
    """Yield the path at the API and the file's name of each part of a job's result.

    A batch that read a file is JSONL, a video MP4, and what the API shows itself is JSON. Raises
    `JobsError` for a file that is not kept at Gemini, for example `gs://…`.
    """
    name = job.name or job.id
    ending = {names.BATCH: "jsonl", names.VIDEO: "mp4"}.get(job.kind, "json")
    for file in seen.files:
        # By its own name: the SDK reads `https://…/files/ab-cd:download` as `files/ab`.
        bare = file.removeprefix("files/")
        yield f"/v1beta/files/{quote(bare, safe='')}:download?alt=media", f"{_safe(bare)}.{ending}"
    if seen.files:
        return
    if job.kind == names.VIDEO:
        raise JobsError(f"{name} has no file that Gemini keeps: {', '.join(seen.uris)}")
    yield path_of(job.kind, name), f"{_safe(name.rpartition('/')[2])}.json"


async def directory(path: Path) -> None:
    """Make a directory that is missing. Raises `JobsError` where that is not possible."""
    with _writing(path):
        await asyncio.to_thread(path.mkdir, parents=True, exist_ok=True)


async def download(gemini: Gemini, path: str, target: Path) -> Path:
    """Stream the body at `path` into `target`, which appears whole or not at all.

    Raises `JobsError` where the file cannot be written.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    with _writing(target):
        file = await asyncio.to_thread(draft.open, "wb")
        try:
            with file:
                async with gemini.body(path) as chunks:
                    await _write(gemini, f"download {path}", chunks, file)
                await asyncio.to_thread(_flush, file)
            await asyncio.to_thread(draft.replace, target)
        finally:
            draft.unlink(missing_ok=True)
    return target


async def _write(gemini: Gemini, what: str, chunks: AsyncIterator[bytes], file: BinaryIO) -> None:
    # What breaks a chunk off is Gemini's fault, and what keeps it from being written is not.
    while (chunk := await gemini.call(what, lambda: anext(chunks, None))) is not None:
        file.write(chunk)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobsError(
            f"cannot write {path} ({error.strerror or type(error).__name__}): give a directory that"
            " can be written and has room"
        ) from error


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name).lstrip(".") or "result"
