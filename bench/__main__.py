"""`python -m bench`: measure, and write `bench/RESULTS.md` and `bench/results.svg`.

With --quick, it only prints the goals, unless --output says where to write.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from bench import dispatcher, load, machine, parties, passages, receiver, report, starts
from bench.cores import divide
from bench.plan import FULL, QUICK, Plan
from bench.progress import say
from bench.quiet import Quiet
from bench.results import Results


def main() -> None:
    """Run the benchmark and report."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about one minute, not ten")
    parser.add_argument("--output", type=Path, help="folder for RESULTS.md and results.svg")
    parser.add_argument("--json", type=Path, help="file that gets the same facts, and every round")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        results = asyncio.run(measure(plan, Path(scratch)))
    folder = options.output or (None if options.quick else Path(__file__).parent)
    report.write(results, folder, options.json)


async def measure(plan: Plan, scratch: Path) -> Results:
    """Measure the receiver, both functions in a row, cold starts, then the dispatcher."""
    load.find_wrk()
    binaries = scratch / "go"
    go = machine.go_version() if parties.build_go(binaries) else ""
    if not go:
        say("Go is not installed: its rows will be missing, and the sink is in Python")
    cores = divide(os.sched_getaffinity(0))
    say(str(cores))
    # What this process starts stays there too, unless it is told otherwise.
    os.sched_setaffinity(0, cores.load)
    quiet = Quiet(plan.repeats, say)
    received = await receiver.measure(plan, quiet, cores, binaries, scratch, go=bool(go), say=say)
    passed = await passages.measure(plan, quiet, cores, say)
    started = await starts.measure(plan, cores, scratch, say)
    dispatched = await dispatcher.measure(plan, quiet, cores, binaries, scratch, say)
    counts = quiet.repeated, quiet.disturbed
    return Results(plan, cores, go, received, passed, started, dispatched, *counts)


if __name__ == "__main__":
    main()
