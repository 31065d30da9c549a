"""`python -m tests.soak`: run a soak, print its account, exit 0 only if all of it holds."""

import argparse
import asyncio
import json
import os
import platform
import shlex
import sys
from pathlib import Path

import uvloop

# Before gRPC is loaded: uvloop forks to start a function, and gRPC would complain each time that
# it cannot follow. Nothing of it is used between the fork and the exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

from tests.soak import report
from tests.soak.run import Options, Progress, Soak

_FULL = Options().deliveries
_DOCS = Path(__file__).resolve().parents[2] / "docs"


def main(arguments: list[str]) -> int:
    """Run one soak; return the exit status."""
    chosen = _parser().parse_args(arguments)
    options = Options(deliveries=chosen.deliveries, seed=chosen.seed)
    soak = Soak(options)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        account = runner.run(soak.run(lambda progress: _show(progress, options)))
    sys.stderr.write("\n")
    print(json.dumps(account.facts(), indent=2) if chosen.json else report.text(account))
    if chosen.deliveries >= _FULL or chosen.docs:
        command = shlex.join(["python", "-m", "tests.soak", *arguments])
        report.draw(soak.samples, _DOCS / "soak-memory.svg")
        (_DOCS / "soak.md").write_text(report.page(account, command, machine()))
    return 0 if account.holds else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--deliveries", type=_positive, default=_FULL, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of what is sent; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the account as JSON")
    parser.add_argument(
        "--docs", action="store_true", help="write docs/soak.md even if the run is not a full one"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _show(progress: Progress, options: Options) -> None:
    # A terminal shows the newest line only, a file one in a while.
    on_terminal = sys.stderr.isatty()
    if not on_terminal and int(progress.seconds) % 15:
        return
    rate = progress.settled / progress.seconds if progress.seconds else 0.0
    line = (
        f"{progress.seconds:6.0f} s  {progress.settled:,} of {options.deliveries:,} deliveries"
        f" ({rate:.0f}/s)  {progress.handled:,} events fanned out, {progress.owed:,} owed"
    )
    sys.stderr.write(f"\r{line}   " if on_terminal else f"{line}\n")
    sys.stderr.flush()


def machine() -> str:
    """Return what a run's figures depend on."""
    cores = f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.0f})"
    return f"{cores}, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
