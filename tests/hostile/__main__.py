"""`python -m tests.hostile`: attack the receiver, print the account, exit 0 only if all holds."""

import argparse
import asyncio
import sys

import uvloop

from tests.hostile import campaign
from tests.hostile.campaign import Options


def main(arguments: list[str]) -> int:
    """Run one campaign; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    default = Options()
    parser.add_argument("--requests", type=int, default=default.requests)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--slow-clients", type=int, default=default.slow_clients)
    parser.add_argument("--seconds", type=float, default=default.seconds, help="stop after so long")
    chosen = parser.parse_args(arguments)
    options = Options(
        requests=chosen.requests,
        seed=chosen.seed,
        slow_clients=chosen.slow_clients,
        seconds=chosen.seconds,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        account = runner.run(campaign.run(options, _show))
    sys.stderr.write("\n")
    print(account.text())
    return 1 if account.problems() else 0


def _show(sent: int) -> None:
    # Only a terminal can show the newest number in place of the last.
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{sent:,} hostile requests")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
