import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from localcloud.core.clock import ManualClock
from localcloud.core.errors import OptionError
from localcloud.laptop import keeper
from localcloud.laptop.keeper import Keeper


class Part:
    """An emulator that holds one value."""

    def __init__(self, value: str = "") -> None:
        self.value = value
        self.dumps = 0

    def mark(self) -> object:
        return self.value

    def dump(self) -> Any:
        self.dumps += 1
        return {"value": self.value}

    def restore(self, dumped: Any) -> None:
        self.value = dumped["value"]


class Run:
    """One run of a stack that keeps its state in a directory."""

    def __init__(self, directory: Path, **parts: Part) -> None:
        self.clock = ManualClock()
        self.lines: list[str] = []
        parts = parts or {"pubsub": Part()}
        self.part = next(iter(parts.values()))
        self.keeper = Keeper(directory, parts, self.clock, lambda _name, line: self._tell(line))

    def _tell(self, line: str) -> None:
        self.lines.append(line)


def path(directory: Path) -> Path:
    [found] = directory.glob("*.json")
    return found


def test_a_stack_that_stopped_loses_nothing(tmp_path: Path) -> None:
    first, second = Run(tmp_path), Run(tmp_path)
    first.keeper.restore()
    first.part.value = "changed"
    first.keeper.stop()
    second.keeper.restore()

    assert first.lines == []
    assert second.part.value == "changed"
    assert second.lines == [f"continues with what {tmp_path} keeps"]
    assert stat.S_IMODE(path(tmp_path).stat().st_mode) == 0o600


async def test_a_stack_that_was_killed_says_since_when_changes_are_lost(tmp_path: Path) -> None:
    first, second = Run(tmp_path), Run(tmp_path)
    first.keeper.restore()
    first.part.value = "saved"
    await first.keeper.save()
    await first.clock.advance(60)
    await first.keeper.save()
    first.part.value = "not saved"
    second.keeper.restore()

    assert second.part.value == "saved"
    [told] = second.lines
    assert "was killed: continues as of 2027-01-15T08:01:00Z; what changed after that" in told


async def test_it_saves_after_changes_and_only_then(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.keeper.restore()
    running = asyncio.create_task(run.keeper.run())
    await run.keeper.save()
    dumps = run.part.dumps
    for _ in range(3):
        await run.keeper.save()
    assert run.part.dumps == dumps

    run.part.value = "changed"
    await run.clock.advance(1)
    while run.part.dumps == dumps:  # noqa: ASYNC110
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    saved = keeper.read(path(tmp_path))
    assert saved
    assert (saved.parts["pubsub"], saved.stopped) == ({"value": "changed"}, False)


def test_the_state_of_an_emulator_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    first = Run(tmp_path, pubsub=Part("a"), firestore=Part("b"))
    first.keeper.restore()
    first.keeper.stop()
    second = Run(tmp_path, firestore=Part())
    second.keeper.restore()
    assert second.part.value == "b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "does not hold the state of a stack"),
        ("[]", "does not hold the state of a stack"),
        ('{"version": 1, "stopped": true, "parts": {"pubsub": []}}', "pubsub: TypeError"),
        ('{"version": 2}', "is of version 2, and this command reads version 1"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_stays(
    tmp_path: Path, text: str, said: str
) -> None:
    run = Run(tmp_path)
    run.keeper.restore()
    file = path(tmp_path)
    file.write_text(text)
    with pytest.raises(OptionError, match=said):
        run.keeper.restore()
    assert file.read_text() == text


def test_one_stack_at_a_time_uses_a_directory(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    with (
        keeper.locked(directory),
        pytest.raises(OptionError, match="another stack uses"),
        keeper.locked(directory),
    ):
        raise AssertionError("it is locked")
    with keeper.locked(directory):
        pass


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OptionError, match=r"cannot keep anything in .*file"),
        keeper.locked(tmp_path / "file"),
    ):
        raise AssertionError("it is a file")


async def test_a_save_that_fails_is_told_once_and_tried_again(tmp_path: Path) -> None:
    run = Run(tmp_path / "gone")
    (tmp_path / "gone").mkdir()
    run.keeper.restore()
    (tmp_path / "gone").rename(tmp_path / "moved")
    for value in ("a", "b"):
        run.part.value = value
        await run.keeper.save()
    [told] = run.lines
    assert "changes are not kept" in told

    (tmp_path / "moved").rename(tmp_path / "gone")
    await run.keeper.save()
    saved = keeper.read(path(tmp_path / "gone"))
    assert saved
    assert saved.parts["pubsub"] == {"value": "b"}
