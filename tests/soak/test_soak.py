"""A short soak: every fault and every rotation happens once."""

import pytest

from tests.soak import report
from tests.soak.run import Options, Progress, Soak
from tests.soak.schedule import EVERYTHING, ROTATIONS, UPHEAVALS

OPTIONS = Options(deliveries=600, lease_seconds=6)


# A slow or busy machine takes long: a dozen functions start and end.
@pytest.mark.timeout(400)
async def test_nothing_is_lost_and_nothing_hostile_comes_through() -> None:
    seen: list[Progress] = []
    account = await Soak(OPTIONS).run(seen.append)

    assert account.holds, report.text(account)
    # A fault that did not happen shows nothing.
    assert (account.events, account.repeated, account.hostile) == (450, 120, 30)
    assert account.upheaval == {" ".join(action): 1 for action in (*UPHEAVALS, EVERYTHING)}
    assert account.rotations == {" ".join(action): 1 for action in ROTATIONS}
    assert all(account.calls_struck[f"{what} lose-reply"] for what in ("pubsub", "firestore"))
    assert account.duplicates_dropped >= account.repeated
    assert seen[-1].settled > 0
