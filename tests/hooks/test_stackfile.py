import asyncio
import multiprocessing
import os
import signal
import stat
from pathlib import Path

import pytest

from hooks import stackfile
from hooks.errors import NoStack, UsageError

RUNNING = stackfile.Description(
    pid=1,
    command="dev",
    gemini_url="http://127.0.0.1:1",
    receive_url="http://127.0.0.1:2",
    dispatch_url="http://127.0.0.1:3",
    webhook="wh",
    topics={"events": "projects/p/topics/e"},
    variables={"GOOGLE_CLOUD_PROJECT": "p"},
)


def test_a_running_stack_is_found_from_directories_below(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    with stackfile.locked(tmp_path) as file:
        with pytest.raises(NoStack, match="hooks dev"):
            stackfile.find(below)
        file.announce(RUNNING)
        assert stackfile.find(below) == RUNNING
        assert stackfile.find(tmp_path) == RUNNING

    with pytest.raises(NoStack):
        stackfile.find(below)


def test_only_its_owner_can_read_the_stack_file(tmp_path: Path) -> None:
    with stackfile.locked(tmp_path) as file:
        file.announce(RUNNING)
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
        assert [each.name for each in file.path.parent.iterdir() if each.name != "lock"] == [
            "stack.json"
        ]


def test_a_directory_is_locked_by_one_stack(tmp_path: Path) -> None:
    with stackfile.locked(tmp_path) as file:
        file.announce(RUNNING)
        with pytest.raises(UsageError, match="another stack runs"), stackfile.locked(tmp_path):
            pass
        assert stackfile.find(tmp_path) == RUNNING
    with stackfile.locked(tmp_path):
        pass


def _be_killed(directory: Path) -> None:
    with stackfile.locked(directory) as file:
        file.announce(RUNNING)
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_file_of_a_killed_stack_is_ignored(tmp_path: Path) -> None:
    killed = multiprocessing.get_context("spawn").Process(target=_be_killed, args=(tmp_path,))
    killed.start()
    killed.join()
    assert (tmp_path / ".hooks" / "stack.json").exists()

    with pytest.raises(NoStack):
        stackfile.find(tmp_path)
    with stackfile.locked(tmp_path) as file:
        assert not file.path.exists()


async def test_the_end_of_a_stack_can_be_waited_for(tmp_path: Path) -> None:
    with stackfile.locked(tmp_path) as file:
        file.announce(RUNNING)
        gone = asyncio.create_task(stackfile.until_ended(tmp_path))
        await asyncio.sleep(0)
        assert not gone.done()

    async with asyncio.timeout(30):
        await gone
