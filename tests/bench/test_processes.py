"""CPU time and memory, read from /proc, of a process and its descendants."""

import os
import sys

import pytest

from bench import processes
from bench.children import child

WAIT = "import sys; print('ready', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}])"
BURN = """
import sys, time
while time.process_time() < 0.2:
    pass
print('ready', flush=True)
sys.stdin.read()
"""
PARENT_OF_BURN = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"


async def test_memory_includes_all_descendants() -> None:
    async with child(sys.executable, "-c", WAIT) as alone:
        one = processes.resident_bytes(alone.process.pid)
    async with child(sys.executable, "-c", PARENT) as parent:
        two = processes.resident_bytes(parent.process.pid)
    assert 0 < one < two


async def test_cpu_time_includes_all_descendants() -> None:
    async with child(sys.executable, "-c", PARENT_OF_BURN) as parent:
        # The descendant has used 0.2 s, in whole ticks of each kind of time.
        assert processes.cpu_seconds(parent.process.pid) >= 0.18


def test_cpu_time_is_user_and_system_time() -> None:
    times = os.times()
    used = processes.cpu_seconds(os.getpid())
    assert used == pytest.approx(times.user + times.system, abs=1.0)


def test_cores_are_busy_while_this_process_computes() -> None:
    before = processes.busy_seconds(os.sched_getaffinity(0))
    begun = os.times().user
    while os.times().user < begun + 0.2:
        pass
    assert processes.busy_seconds(os.sched_getaffinity(0)) - before >= 0.1


def test_a_core_that_does_not_exist_is_never_busy() -> None:
    assert processes.busy_seconds({10**6}) == 0
