import asyncio
import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from localcloud.runner import environment
from localcloud.runner.environment import BuildFailed, build, user_cache

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
    first, second = await asyncio.gather(build(lock, cache), build(lock, cache))
    assert first == second
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

    async def cancelled(*command: str) -> tuple[int, str]:
        task = asyncio.current_task()
        assert task
        task.cancel()
        return await run(*command)

    monkeypatch.setattr(environment, "_run", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(build(lock, tmp_path / "cache"))
    assert not list((tmp_path / "cache").glob("*/.ready"))


def test_environments_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert user_cache() == Path("/elsewhere/gemini-webhook-relay")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert user_cache() == Path("/home/someone/.cache/gemini-webhook-relay")
