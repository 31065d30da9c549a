"""`python -m tests.soak.jobs`: run a soak of jobs, print its account, exit 0 only if it holds."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shlex
import sys
from pathlib import Path

import uvloop

# Before gRPC is loaded: uvloop forks to start a function, and gRPC would complain each time that
# it cannot follow. Nothing of it is used between the fork and the exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

from tests.soak.__main__ import machine
from tests.soak.jobs import report
from tests.soak.jobs.account import Account
from tests.soak.jobs.run import Options, Soak

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "soak-jobs.md"
_PROGRESS_SECONDS = 15.0


def main(arguments: list[str]) -> int:
    """Run one soak; return the exit status."""
    defaults = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.soak.jobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=defaults.jobs, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--jobs-per-kill",
        type=int,
        default=defaults.jobs_per_kill,
        help="of each function; default: %(default)s",
    )
    parser.add_argument("--json", action="store_true", help="print the account as JSON")
    chosen = parser.parse_args(arguments)
    # Replies that are lost on purpose are errors to the server that loses them.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    soak = Soak(Options(jobs=chosen.jobs, seed=chosen.seed, jobs_per_kill=chosen.jobs_per_kill))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        account = runner.run(_run(soak))
    print(json.dumps(account.facts(), indent=2) if chosen.json else report.text(account))
    if chosen.jobs >= defaults.jobs:
        command = shlex.join(["python", "-m", "tests.soak.jobs", *arguments])
        _PAGE.write_text(report.page(account, command, machine()))
    return 0 if account.holds else 1


async def _run(soak: Soak) -> Account:
    watching = asyncio.create_task(_watch(soak))
    try:
        return await soak.run()
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(soak: Soak) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        sys.stderr.write(f"{soak.progress()}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
