"""The command as a process of its own: how it ends when somebody stops it."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.hooks.conftest import NAMES, Relay

ROOT = Path(__file__).parents[3]
HOOKS = (sys.executable, "-c", "from hooks.cli import main; main()")


async def started(relay: Relay, *arguments: str) -> asyncio.subprocess.Process:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}",
        "HOOKS_OUTPUTS": str(relay.outputs),
        **relay.environ,
    }
    return await asyncio.create_subprocess_exec(
        *HOOKS,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ,
    )


def noted(checkpoint: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(checkpoint.read_text()) if checkpoint.exists() else {}
    return found


async def test_a_replay_that_is_interrupted_gives_back_what_it_holds_and_goes_on_later(
    relay: Relay, tmp_path: Path
) -> None:
    for number in range(20):
        await relay.receive(number)
    await relay.dispatched()
    checkpoint = tmp_path / "half.json"
    replaying = await started(
        relay,
        "events",
        "replay",
        "--since",
        "-1h",
        "--rate",
        "0.2",
        "--checkpoint",
        str(checkpoint),
    )
    await relay.until(lambda: noted(checkpoint).get("replayed", 0) > 0)

    replaying.send_signal(signal.SIGINT)

    _, errors = await replaying.communicate()
    assert replaying.returncode not in (0, None)
    assert f"--resume {checkpoint}" in errors.decode()
    assert "Traceback" not in errors.decode()
    assert relay.pubsub.leased(noted(checkpoint)["subscription"]) == 0
    assert 0 < noted(checkpoint)["replayed"] < 20

    resumed = await started(relay, "events", "replay", "--resume", str(checkpoint), "--rate", "0")
    output, errors = await resumed.communicate()
    assert resumed.returncode == 0, errors.decode()
    assert output.decode().startswith("20 events replayed as ")
    await relay.dispatched()
    assert relay.fanned_out(NAMES.events) == {f"evt_{number}": 2 for number in range(20)}


async def test_errors_are_one_line_and_decide_the_exit_status(relay: Relay) -> None:
    for arguments, status in (
        (("dlq", "show", "evt_9"), 1),
        (("dlq", "purge"), 2),
        (("events", "replay", "--since", "soon"), 2),
        (("doctor",), 2),
    ):
        process = await started(relay, *arguments)
        output, errors = await process.communicate()
        assert (process.returncode, output) == (status, b""), arguments
        assert errors.startswith(b"error: ")
        assert errors.count(b"\n") == 1
