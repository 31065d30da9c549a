"""A short soak of jobs: every fate of a webhook, and deaths within publishes."""

import pytest

from tests.soak.jobs import report
from tests.soak.jobs.run import Options, Soak


# A slow or busy machine takes long: functions start, die and start again.
@pytest.mark.timeout(400)
async def test_each_end_is_fanned_out_once() -> None:
    account = await Soak(Options(jobs=40, jobs_per_kill=25, lease_seconds=20)).run()

    assert account.holds, report.text(account)
    # A mishap that did not happen shows nothing.
    assert set(account.webhooks) == {"sent", "lost", "late", "doubled"}
    assert account.kills["dispatch"] > 0
    assert account.extra_copies > 0
    assert account.announced_by_gemini > 0
    assert account.announced_by_us > 0
    assert account.absorbed > 0
    assert account.lost > 0
