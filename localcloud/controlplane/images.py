"""Images: what Cloud Build makes of source archives with the Python buildpack.

https://cloud.google.com/functions/docs/building,
https://github.com/GoogleCloudPlatform/buildpacks/tree/main/cmd/python
"""

import asyncio
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.runner import environment
from localcloud.runner.environment import BuildFailed, Say


@dataclass(frozen=True)
class Image:
    """A function's unpacked source, and the Python that has its packages and nothing else."""

    source: Path
    python: Path


class Images:
    """The images built so far; one archive is built once for each runtime and environment."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._built: dict[str, Image] = {}
        self._building = asyncio.Lock()

    async def build(
        self, archive: bytes, runtime: str, say: Say, environ: Mapping[str, str]
    ) -> Image:
        """Return the image of a source archive (a zip), built with `environ`.

        Raises `BuildFailed` with the log.
        """
        recipe = json.dumps([runtime, sorted(environ.items())]).encode()
        digest = hashlib.sha256(recipe + archive).hexdigest()
        async with self._building:
            if digest not in self._built:
                self._directory = self._directory or Path(tempfile.mkdtemp(prefix="hooks-images-"))
                source = self._directory / digest[:16]
                self._built[digest] = await _build(archive, source, runtime, say, environ)
            return self._built[digest]

    def close(self) -> None:
        """Delete them; packages stay in the user's cache."""
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)


async def _build(
    archive: bytes, source: Path, runtime: str, say: Say, environ: Mapping[str, str]
) -> Image:
    await asyncio.to_thread(_unpack, archive, source)
    await environment.check_source(source, runtime, environ)
    lock, cache = source / "requirements.txt", environment.user_cache()
    return Image(source, await environment.build(lock, cache, runtime=runtime, say=say))


def _unpack(archive: bytes, source: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            packed.extractall(source)  # extractall keeps every member below its target
    except zipfile.BadZipFile as error:
        raise BuildFailed(f"the source archive is no zip file: {error}") from error
