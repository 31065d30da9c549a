"""What the Python buildpack builds of a function's source: its packages, and a check of its syntax.

The commands are the buildpack's own, in its order:
https://github.com/GoogleCloudPlatform/buildpacks/tree/main/cmd/python (`functions_framework`,
`pip`) and `pkg/python/python.go` (`PIPInstallRequirements`). Two differ. Packages go to a virtual
environment instead of the user directory of an image's own Python, and pip may use its cache, so
that one environment is shared by everything on the machine that runs the same lock.
"""

import asyncio
import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.core.errors import LocalCloudError

RUNTIME = "python313"
"""The runtime that `infra/` deploys by default."""

Say = Callable[[str], None]
"""Called with each line of a build's log."""

_KEPT_LINES = 50
_UNUSED_SECONDS = 30 * 86400.0
_FRAMEWORK = re.compile(r"^functions-framework\b([^-]|$)", re.MULTILINE)
_PROBE = (
    "import ensurepip, sys, venv; print(sys.executable, sys.base_prefix, sys.version, sep='\\n')"
)

# The lock's own hashes make pip check what it installs.
_INSTALL = (
    *("-m", "pip", "install", "--upgrade", "--upgrade-strategy", "only-if-needed"),
    *("--no-warn-script-location", "--no-warn-conflicts", "--force-reinstall", "--no-compile"),
    *("--disable-pip-version-check", "--no-input", "--quiet", "--requirement"),
)
# A file that cannot be compiled fails no build, as in `pip install`.
_COMPILE = ("-m", "compileall", "--invalidation-mode", "unchecked-hash", "-qq")
_CHECK = ("-m", "pip", "check", "--disable-pip-version-check")


class BuildFailed(LocalCloudError):
    """A function cannot be built; `output` holds the last lines of the build's log."""

    def __init__(self, problem: str, output: Sequence[str] = ()) -> None:
        log = "".join(f"\n  {line}" for line in output)
        super().__init__(f"{problem}{':' if log else ''}{log}")
        self.output = tuple(output)


@dataclass(frozen=True)
class Interpreter:
    """A Python that makes environments; `identity` tells it from every other one here."""

    path: Path
    version: str
    identity: str


def user_cache() -> Path:
    """Return the directory in which environments of this user outlive their process."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gemini-webhook-relay"


@functools.cache
def interpreter(runtime: str) -> Interpreter:
    """Return the Python of a runtime such as `python313`, or the running one where it is not here.

    It must be on the PATH, and able to make environments.
    """
    running = Interpreter(
        Path(sys.executable), _short(sys.version), f"{sys.base_prefix}\n{sys.version}"
    )
    wanted = version_of(runtime)
    found = shutil.which(f"python{wanted}")
    if running.version.startswith(f"{wanted}.") or found is None:
        return running
    # A version manager may have put a file there that only says what is missing.
    probed = subprocess.run(
        [found, "-I", "-c", _PROBE], capture_output=True, text=True, check=False, cwd="/"
    )
    if probed.returncode != 0:
        return running
    path, prefix, version = probed.stdout.strip().split("\n", 2)
    return Interpreter(Path(path), _short(version), f"{prefix}\n{version}")


def version_of(runtime: str) -> str:
    """Return the version of Python that a runtime names: `3.13` for `python313`."""
    digits = runtime.removeprefix("python")
    return f"{digits[:1]}.{digits[1:]}"


def _short(version: str) -> str:
    return version.split()[0]


async def build(
    requirements: Path, cache: Path, *, runtime: str = RUNTIME, say: Say = lambda _line: None
) -> Path:
    """Return the Python of an environment in `cache` that holds what `requirements` pins.

    It is the runtime's Python where the machine has it, which the log tells. The environment is
    built once for each lock and interpreter, by whichever process comes first; the others wait for
    it. One that was left half built is built anew. Those that nothing has used for 30 days are
    removed when a new one is built. Raises `BuildFailed`.
    """
    maker = await asyncio.to_thread(interpreter, runtime)
    if not maker.version.startswith(f"{version_of(runtime)}."):
        wanted = version_of(runtime)
        say(f"Python {maker.version} instead of {wanted}: there is no python{wanted} on the PATH")
    place = _place(requirements, cache, maker)
    python, ready = place / "bin" / "python", place / ".ready"
    if not ready.exists():
        async with _locked(place.with_suffix(".lock")):
            if not ready.exists():
                say("installing the functions' packages (once)…")
                await _install(requirements, place, maker)
                ready.touch()
        await _remove_unused(cache)
    # Its time tells when it was last used.
    ready.touch()
    return python


async def _remove_unused(cache: Path) -> None:
    for place in await asyncio.to_thread(lambda: [each.parent for each in cache.glob("*/.ready")]):
        async with _locked(place.with_suffix(".lock")):
            # Under the lock, since another process may have used or removed it meanwhile.
            await asyncio.to_thread(_remove_if_unused, place)


def _remove_if_unused(place: Path) -> None:
    ready = place / ".ready"
    if ready.exists() and ready.stat().st_mtime < time.time() - _UNUSED_SECONDS:
        ready.unlink()
        shutil.rmtree(place, ignore_errors=True)


async def check_source(
    source: Path, runtime: str = RUNTIME, environ: Mapping[str, str] | None = None
) -> None:
    """Check and compile a function's source as the buildpack does; raises `BuildFailed`.

    An image's files all bear one time, so that Python does not take what was compiled here for
    that of its source, and compiles the source again at each start, unless the build's `environ`
    sets `SOURCE_DATE_EPOCH`, by which what is compiled names its source by a hash:
    https://github.com/buildpacks/lifecycle (`archive.NormalizedDateTime`),
    https://docs.python.org/3/library/py_compile.html.
    """
    _require_files(source)
    maker = await asyncio.to_thread(interpreter, runtime)
    command = (str(maker.path), "-m", "compileall", "-f", "-q", ".")
    await _require("the source", *command, cwd=source, environ=environ)
    _set_times(source)


def _set_times(source: Path) -> None:
    for path in source.rglob("*.py"):
        os.utime(path, (_IMAGE_TIME, _IMAGE_TIME))


def _require_files(source: Path) -> None:
    lock = source / "requirements.txt"
    for needed in (source / "main.py", lock):
        if not needed.is_file():
            raise BuildFailed(f"missing {needed.name}")
    if not _FRAMEWORK.search(lock.read_text()):
        # The buildpack adds a version of its own choice, which nobody pins or tests.
        raise BuildFailed("requirements.txt does not name functions-framework")


_IMAGE_TIME = 315532801
"""1980-01-01T00:00:01Z, in Unix seconds."""


def _place(requirements: Path, cache: Path, maker: Interpreter) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    recipe = "\n".join((maker.identity, *_INSTALL, *_COMPILE)).encode()
    return cache / hashlib.sha256(recipe + requirements.read_bytes()).hexdigest()[:16]


async def _install(requirements: Path, place: Path, maker: Interpreter) -> None:
    python, what = str(place / "bin" / "python"), str(requirements)
    await _require(what, str(maker.path), "-m", "venv", "--clear", str(place))
    # Isolated from the variables by which a developer's own Python finds other packages.
    await _require(what, python, "-I", *_INSTALL, what)
    await _run(python, "-I", *_COMPILE, str(place / "lib"))
    await _require(what, python, "-I", *_CHECK)


async def _require(
    what: str,
    *command: str,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    status, output = await _run(*command, cwd=cwd, environ=environ)
    if status:
        raise BuildFailed(f"{what} cannot be built", output.splitlines()[-_KEPT_LINES:])


async def _run(
    *command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=cwd,
        env=os.environ | dict(environ or {}),
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
