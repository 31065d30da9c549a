"""`make fuzz`: every target under atheris, one after the other, with an account at the end.

Without an argument each runs for a minute; `SECONDS` or the names of targets may be given. What a
target does not bear is kept in `.fuzz/`, and printed; the exit status is then 1.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS

_FOUND = Path(".fuzz")
_MAX_INPUT_BYTES = 4096


def executions(said: str) -> int:
    """Return how many inputs libFuzzer says to have run; 0 if it does not say."""
    found = re.findall(r"^(?:stat::number_of_executed_units: |Done )(\d+)", said, re.MULTILINE)
    return int(found[0]) if found else 0


def run(name: str, seconds: int) -> tuple[int, bool]:
    """Fuzz one target for so long; return how many inputs it ran, and whether all went well."""
    _FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(TARGETS[name].seeds):
            Path(corpus, str(number)).write_bytes(seed)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.one", name, corpus),
                f"-max_total_time={seconds}",
                f"-max_len={_MAX_INPUT_BYTES}",
                f"-artifact_prefix={_FOUND}/{name}-",
                *("-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"),
            ],
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode:
        print(done.stdout[-5000:])
    return executions(done.stdout), done.returncode == 0


def main(arguments: list[str]) -> int:
    """Fuzz the targets named, or all, and print the account; return the exit status."""
    seconds = next((int(each) for each in arguments if each.isdecimal()), 60)
    names = [each for each in arguments if not each.isdecimal()] or list(TARGETS)
    total, failed = 0, []
    for name in names:
        ran, well = run(name, seconds)
        total += ran
        failed += [] if well else [name]
        print(f"{name:<18}{ran:>12,} executions   {'holds' if well else 'FAILS'}", flush=True)
    print(f"{'all':<18}{total:>12,} executions   {len(failed)} of {len(names)} targets fail")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
