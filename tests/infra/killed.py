"""An apply that is killed at many points, and repeated until it succeeds.

`python -m tests.infra.killed` kills 40 times, one after the other, and compares what stands in the
end with what one apply makes. Terraform is interrupted as by Ctrl-C or a cancelled pipeline.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from localcloud.controlplane.journal import Exchange
from localcloud.laptop.site import Site
from tests.infra.deployed import deployment


async def killed(made: Site, writes: int, *arguments: str) -> bool:
    """Apply, and kill that after so many of its writes; return whether it was killed."""
    journal, reached, left = made.cloud.state.journal, asyncio.Event(), writes

    def count(exchange: Exchange) -> None:
        nonlocal left
        left -= exchange.writes
        if left <= 0:
            reached.set()

    journal.listeners.append(count)
    applying = asyncio.create_task(made.terraform.apply(*arguments))
    reaching = asyncio.create_task(reached.wait())
    try:
        await asyncio.wait((applying, reaching), return_when=asyncio.FIRST_COMPLETED)
        if applying.done():
            await applying
            return False
        applying.cancel()
        await asyncio.gather(applying, return_exceptions=True)
        return True
    finally:
        reaching.cancel()
        journal.listeners.remove(count)


async def standing(made: Site) -> Sequence[str]:
    """Return what stands in the project, without the numbers that Google gives."""
    return sorted(
        re.sub(r"[0-9A-F]{12,}|\d{10,}|_[0-9a-f]{8}\b", "…", name)
        for name in await made.cloud.remains()
    )


async def kill_on(made: Site, points: int) -> int:
    """Kill apply after apply, so that each gets a little further; return how many were killed."""
    writes, stands = 1, 0
    for number in range(points):
        begun = time.monotonic()
        if not await killed(made, writes, "-parallelism=2"):
            return number
        before, stands = stands, len(await standing(made))
        seconds = time.monotonic() - begun
        print(f"{number + 1:>3}: after {writes} writes {stands} stand, {seconds:.0f} s", flush=True)
        # What was begun in the moment of a kill may have to be begun again.
        writes = 1 + number % 2 if stands > before else writes + 2
    return points


async def main(points: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        async with deployment(Path(directory)) as made:
            await made.terraform.apply()
            at_once = await standing(made)
    with tempfile.TemporaryDirectory() as directory:
        async with deployment(Path(directory)) as made:
            number = await kill_on(made, points)
            await made.terraform.apply()
            in_the_end = await standing(made)
            plan = await made.terraform.plan()
    same, empty = in_the_end == at_once, "No changes." in plan
    print(f"killed {number} times; the same in the end: {same}; nothing left to change: {empty}")
    for name in set(in_the_end) ^ set(at_once):
        print(f"  differs: {name}")
    if not empty:
        print(plan)
    return 0 if same and empty else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=40)
    sys.exit(asyncio.run(main(parser.parse_args().points)))
