"""What the kernel knows of a party's processes, and of the cores.

https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html and
https://man7.org/linux/man-pages/man5/proc_stat.5.html
"""

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process and all its descendants so far.

    Each process counts in whole ticks, a hundredth of a second as a rule.
    """
    ticks = 0
    for process in _tree(pid):
        # After the name, which may hold anything, come the fields from the third on.
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and all its descendants."""
    pages = sum(int((each / "statm").read_text().split()[1]) for each in _tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE")


def busy_seconds(cores: Collection[int]) -> float:
    """Return for how long these cores have been busy, together, since the machine started."""
    names, ticks = {f"cpu{core}" for core in cores}, 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *times = line.split()
        if name in names:
            # user, nice and system; idle and iowait; then irq and softirq.
            ticks += sum(int(times[each]) for each in (0, 1, 2, 5, 6))
    return ticks / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> Iterator[Path]:
    todo = [pid]
    while todo:
        process = Path(f"/proc/{todo.pop()}")
        yield process
        for thread in (process / "task").iterdir():
            # A thread of a pool may have ended meanwhile.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                todo += map(int, (thread / "children").read_text().split())
