"""`python -m bench`: measure, and write `bench/RESULTS.md` and `bench/results.svg`."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from bench import report
from bench.receiver import Plan, measure

QUICK = Plan(rounds=2, seconds=1.5, starts=2)
FULL = Plan(rounds=5, seconds=6.0, starts=5)


def main() -> None:
    """Run the benchmark and report."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about one minute, not ten")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        results = asyncio.run(measure(QUICK if options.quick else FULL, Path(scratch)))
    report.write(results, options.output)


if __name__ == "__main__":
    main()
