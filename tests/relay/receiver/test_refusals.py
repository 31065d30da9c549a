import asyncio
import json
from typing import Any

import pytest

from relay.receiver.refusals import Refusals

Capture = pytest.CaptureFixture[str]


def lines(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_the_first_of_each_reason_is_logged_at_once(capsys: Capture) -> None:
    refusals = Refusals()
    refusals.add("WARNING", "signature")
    refusals.add("ERROR", "publish-deadline")
    assert lines(capsys) == [
        {"severity": "WARNING", "message": "delivery refused", "reason": "signature", "count": 1},
        {
            "severity": "ERROR",
            "message": "delivery refused",
            "reason": "publish-deadline",
            "count": 1,
        },
    ]


async def test_a_flood_makes_no_more_lines_within_the_period(capsys: Capture) -> None:
    refusals = Refusals()
    for _ in range(10_000):
        refusals.add("WARNING", "signature")
    assert len(lines(capsys)) == 1


async def test_every_refusal_is_counted_once(capsys: Capture) -> None:
    refusals = Refusals(period=0)
    for _ in range(5):
        refusals.add("WARNING", "signature")
    refusals.add("WARNING", "signature")
    # The timers of a period that is over fire in the order in which they were started.
    for _ in range(3):
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0, over.set)
        await over.wait()
    assert sum(line["count"] for line in lines(capsys)) == 6


async def test_after_a_quiet_period_the_next_is_logged_at_once_again(capsys: Capture) -> None:
    refusals = Refusals(period=0)
    refusals.add("WARNING", "signature")
    await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)
    assert [line["count"] for line in lines(capsys)] == [1]
    refusals.add("WARNING", "signature")
    assert [line["count"] for line in lines(capsys)] == [1]
