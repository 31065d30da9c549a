"""How much memory a function takes, from /proc, and whether that stays bounded."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_PAGE = 4096


@dataclass(frozen=True)
class Sample:
    """A function's resident memory in MiB, `at` seconds after the start.

    `leader` is the process id of its framework: another one, another life.
    """

    function: str
    leader: int
    at: float
    mebibytes: float


def resident(leader: int) -> float | None:
    """Return the resident MiB of the worker under a framework's process, None if there is none.

    Outside Linux there is no /proc, and never a number.
    """
    try:
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        pages = [int(Path(f"/proc/{child}/statm").read_text().split()[1]) for child in children]
    except (OSError, IndexError):
        return None
    return sum(pages) * _PAGE / _MIB if pages else None


def longest_life(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples of the process that was seen most often."""
    ((leader, _),) = Counter(each.leader for each in samples).most_common(1)
    return [each for each in samples if each.leader == leader]


def growth(samples: Sequence[Sample]) -> float:
    """Return by how many MiB the last quarter's median lies above that of the second quarter.

    The first quarter is left out: caches fill, and the allocator finds its size.
    """
    quarter = len(samples) // 4
    early = statistics.median(each.mebibytes for each in samples[quarter : 2 * quarter])
    late = statistics.median(each.mebibytes for each in samples[-quarter:])
    return late - early
