import asyncio
import hashlib
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localcloud.runner import environment
from localcloud.runner.environment import (
    BuildFailed,
    Interpreter,
    build,
    check_source,
    interpreter,
    user_cache,
)

# To make a virtual environment takes seconds of CPU.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Pin one package, a wheel beside the lock."""
    wheel = tmp_path / "example-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: example\nVersion: 1.0\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("example.py", "VALUE = 42\n")
        archive.writestr("example-1.0.dist-info/METADATA", metadata)
        archive.writestr("example-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("example-1.0.dist-info/RECORD", "")
    return pinned(wheel, hashlib.sha256(wheel.read_bytes()).hexdigest())


def pinned(wheel: Path, digest: str) -> Path:
    requirements = wheel.with_name("requirements.txt")
    requirements.write_text(f"example @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    return requirements


def value(python: Path, statement: str) -> str:
    return subprocess.check_output([str(python), "-c", statement], text=True).strip()


def forget_that_it_is_ready(python: Path) -> None:
    (python.parents[1] / ".ready").unlink()
    python.unlink()


async def test_an_environment_is_built_once_with_what_is_pinned_alone(
    lock: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    log: list[str] = []
    first, second = await asyncio.gather(*(build(lock, cache, say=log.append) for _ in "ab"))
    assert first == second
    assert len([line for line in log if "(once)" in line]) == 1
    assert value(first, "import example; print(example.VALUE)") == "42"
    spec = "import importlib.util as util; print(util.find_spec('pytest'))"
    assert value(first, spec) == "None"

    mark = first.with_name("mark")
    mark.touch()
    assert await build(lock, cache) == first
    assert mark.exists()

    forget_that_it_is_ready(first)
    assert await build(lock, cache) == first
    assert value(first, "import example; print(example.VALUE)") == "42"
    assert not mark.exists()


async def test_an_environment_that_nothing_has_used_for_a_month_is_removed(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def install(_requirements: Path, place: Path, _maker: Interpreter) -> None:
        (place / "bin").mkdir(parents=True)

    monkeypatch.setattr(environment, "_install", install)
    cache = tmp_path / "cache"
    ours = (await build(lock, cache)).parents[1]
    for name, days in (("unused", 31), ("used", 29)):
        (cache / name).mkdir()
        (cache / name / ".ready").touch()
        then = time.time() - days * 86400
        os.utime(cache / name / ".ready", (then, then))
    os.utime(ours / ".ready", (0, 0))
    assert await build(lock, cache) == ours / "bin" / "python"
    assert (cache / "unused").exists()

    pinned(lock.with_name("example-1.0-py3-none-any.whl"), "0" * 64)
    another = (await build(lock, cache)).parents[1]
    assert {path.name for path in cache.iterdir() if path.is_dir()} == {
        "used",
        ours.name,
        another.name,
    }


async def test_a_lock_that_cannot_be_installed_is_refused_with_the_log(
    lock: Path, tmp_path: Path
) -> None:
    pinned(lock.with_name("example-1.0-py3-none-any.whl"), "0" * 64)
    with pytest.raises(BuildFailed, match="DO NOT MATCH THE HASHES") as failed:
        await build(lock, tmp_path / "cache")
    assert failed.value.output
    assert not list((tmp_path / "cache").glob("*/.ready"))


async def test_a_build_that_is_cancelled_stops_and_does_not_count(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = environment._run

    async def cancelled(*command: str, **more: Any) -> tuple[int, str]:
        task = asyncio.current_task()
        assert task
        task.cancel()
        return await run(*command, **more)

    monkeypatch.setattr(environment, "_run", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(build(lock, tmp_path / "cache"))
    assert not list((tmp_path / "cache").glob("*/.ready"))


class Commands:
    """Runs none of the commands that it is given; those that `failing` names fail."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.failing = ""

    async def __call__(
        self, *command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        assert cwd is None
        assert environ is None
        self.ran.append(" ".join(command[1:]))
        if "venv" in command:
            make(command[-1])
        failing = self.failing and self.failing in self.ran[-1]
        return (1, "one\ntwo") if failing else (0, "")


def make(directory: str) -> None:
    Path(directory).mkdir()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(environment, "_run", commands)
    return commands


@pytest.mark.parametrize("failing", ["venv", "install", "check"])
async def test_a_command_that_fails_fails_the_build_with_its_output(
    lock: Path, tmp_path: Path, commands: Commands, failing: str
) -> None:
    commands.failing = failing
    with pytest.raises(BuildFailed, match=r"(?s)requirements.txt cannot be built.*one.*two"):
        await build(lock, tmp_path)


async def test_packages_are_installed_by_the_buildpacks_commands(
    lock: Path, tmp_path: Path, commands: Commands
) -> None:
    # What cannot be compiled fails no build.
    commands.failing = "compileall"
    place = (await build(lock, tmp_path)).parents[1]
    install = (
        "-I -m pip install --upgrade --upgrade-strategy only-if-needed --no-warn-script-location"
        " --no-warn-conflicts --force-reinstall --no-compile --disable-pip-version-check --no-input"
        f" --quiet --requirement {lock}"
    )
    assert commands.ran == [
        f"-m venv --clear {place}",
        install,
        f"-I -m compileall --invalidation-mode unchecked-hash -qq {place / 'lib'}",
        "-I -m pip check --disable-pip-version-check",
    ]


def test_the_runtimes_python_is_used_where_the_machine_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "python3.99"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert interpreter.__wrapped__("python399").path == Path(sys.executable)
    found.write_text("#!/bin/sh\necho not installed; exit 127\n")
    found.chmod(0o755)
    assert interpreter.__wrapped__("python399").path == Path(sys.executable)
    found.write_text("#!/bin/sh\necho /opt/python; echo /opt; echo '3.99.1 (main)'\n")
    assert interpreter.__wrapped__("python399") == Interpreter(
        Path("/opt/python"), "3.99.1", "/opt\n3.99.1 (main)"
    )


async def test_the_log_tells_that_another_python_takes_the_runtimes_place(
    lock: Path, tmp_path: Path, commands: Commands
) -> None:
    log: list[str] = []
    await build(lock, tmp_path, runtime="python399", say=log.append)
    running = sys.version.split()[0]
    assert log[0] == f"Python {running} instead of 3.99: there is no python3.99 on the PATH"
    assert len(commands.ran) == 4
    log.clear()
    major, minor = sys.version_info[:2]
    await build(lock, tmp_path, runtime=f"python{major}{minor}", say=log.append)
    assert log == []
    assert len(commands.ran) == 4


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text("VALUE = 1\n")
    (tmp_path / "requirements.txt").write_text("functions-framework==3.10.2 \\\n    --hash=x\n")
    return tmp_path


@pytest.mark.parametrize(("environ", "hashed"), [({}, 0), ({"SOURCE_DATE_EPOCH": "1"}, 0b11)])
async def test_a_source_is_compiled_and_loses_its_times(
    source: Path, environ: Mapping[str, str], hashed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    await check_source(source, environ=environ)
    (compiled,) = (source / "__pycache__").glob("main.*.pyc")
    # The flags of PEP 552: whether it holds a hash, and is compared with its source by that.
    assert int.from_bytes(compiled.read_bytes()[4:8], "little") == hashed
    assert (source / "main.py").stat().st_mtime == 315532801


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("main.py", None, "missing main.py"),
        ("requirements.txt", None, r"missing requirements.txt"),
        ("main.py", "def broken(:\n", r"(?s)the source cannot be built.*SyntaxError"),
        ("requirements.txt", "functions-framework-x==1\n", "does not name functions-framework"),
    ],
)
async def test_a_source_that_the_buildpack_would_refuse_is_refused(
    source: Path, name: str, content: str | None, problem: str
) -> None:
    (source / name).unlink()
    if content is not None:
        (source / name).write_text(content)
    with pytest.raises(BuildFailed, match=problem):
        await check_source(source)


def test_environments_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert user_cache() == Path("/elsewhere/gemini-webhook-relay")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert user_cache() == Path("/home/someone/.cache/gemini-webhook-relay")
