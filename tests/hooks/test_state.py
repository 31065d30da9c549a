import asyncio
import multiprocessing
import os
import signal
import stat
from pathlib import Path

import pytest

from hooks import state
from hooks.errors import NoStack, UsageError

RUNNING = state.Running(
    pid=1,
    command="dev",
    gemini_url="http://127.0.0.1:1",
    receive_url="http://127.0.0.1:2",
    dispatch_url="http://127.0.0.1:3",
    webhook="wh",
    topics={"events": "projects/p/topics/e"},
    variables={"GOOGLE_CLOUD_PROJECT": "p"},
)


def test_a_stack_is_found_from_below_while_it_runs(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    with state.claimed(tmp_path) as claim:
        with pytest.raises(NoStack, match="hooks dev"):
            state.find(below)
        claim.announce(RUNNING)
        assert state.find(below) == RUNNING
        assert state.find(tmp_path) == RUNNING

    with pytest.raises(NoStack):
        state.find(below)


def test_the_description_is_for_its_owner_alone(tmp_path: Path) -> None:
    with state.claimed(tmp_path) as claim:
        claim.announce(RUNNING)
        assert stat.S_IMODE(claim.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(claim.path.parent.stat().st_mode) == 0o700
        assert [each.name for each in claim.path.parent.iterdir() if each.name != "lock"] == [
            "stack.json"
        ]


def test_a_directory_takes_one_stack(tmp_path: Path) -> None:
    with state.claimed(tmp_path) as claim:
        claim.announce(RUNNING)
        with pytest.raises(UsageError, match="another stack runs"), state.claimed(tmp_path):
            pass
        assert state.find(tmp_path) == RUNNING
    with state.claimed(tmp_path):
        pass


def _be_killed(directory: Path) -> None:
    with state.claimed(directory) as claim:
        claim.announce(RUNNING)
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_stack_left_behind_is_no_stack(tmp_path: Path) -> None:
    killed = multiprocessing.get_context("spawn").Process(target=_be_killed, args=(tmp_path,))
    killed.start()
    killed.join()
    assert (tmp_path / ".hooks" / "stack.json").exists()

    with pytest.raises(NoStack):
        state.find(tmp_path)
    with state.claimed(tmp_path) as claim:
        assert not claim.path.exists()


async def test_the_end_of_a_stack_can_be_waited_for(tmp_path: Path) -> None:
    with state.claimed(tmp_path) as claim:
        claim.announce(RUNNING)
        gone = asyncio.create_task(state.until_gone(tmp_path))
        await asyncio.sleep(0)
        assert not gone.done()

    async with asyncio.timeout(30):
        await gone
