import asyncio
import dataclasses
from collections import Counter
from typing import Any

import pytest

from tests.hostile import campaign
from tests.hostile.account import Account
from tests.hostile.attacks import KINDS
from tests.hostile.campaign import Options
from tests.hostile.endless import STATES

GOOD = Account(
    sent=10,
    seconds=10.0,
    answers={"forged": Counter({"401": 9}), "noise": Counter({"none": 1})},
    honest=Counter({"200": 2}),
    honest_stored={"honest-1", "honest-2"},
    published={"honest-1", "honest-2"},
    mebibytes=[60.0] * 60,
)


@pytest.fixture(scope="module")
def account() -> Account:
    options = Options(requests=2_000, slow_clients=40, seed=7)
    return asyncio.run(campaign.run(options))


def test_a_short_campaign_breaks_no_promise(account: Account) -> None:
    assert account.problems() == [], account.text()
    assert account.sent == 2_000
    assert set(account.answers) == set(KINDS)
    assert account.published == account.honest_stored
    assert account.slow_open > 0
    assert account.endless_ended
    assert account.jwks_fetches > 0
    assert account.secret_loads > 0


def test_shapes_that_two_servers_read_in_two_ways_are_refused(account: Account) -> None:
    for kind in ("lengths", "chunks", "header-lines", "line-ends"):
        answers = account.answers[kind]
        assert answers["400"] > 0
        # One that is cut short may be closed unanswered; a length over the cap is one that counts.
        assert set(answers) <= {"400", "413", "none"}


def test_an_account_without_a_problem_says_so() -> None:
    assert GOOD.problems() == []
    assert "PROBLEM" not in GOOD.text()


@pytest.mark.parametrize(
    "fact",
    [
        {"answers": {"forged": Counter({"500": 1})}},
        {"answers": {"forged": Counter({"200": 1})}},
        {"answers": {"forged": Counter({"none": 1})}},
        {"answers": {"noise": Counter({"500": 1})}},
        {"received": ["noise"]},
        {"hung": ["forged"]},
        {"tracebacks": ["Traceback (most recent call last):"]},
        {"endless_forever": {"trailers"}},
        {"endless_failed": {"trailers"}},
        {"seconds": 61.0, "endless_ended": Counter([*STATES][1:])},
        {"honest_failed": {"honest-3"}},
        {"honest_stored": set(), "published": set()},
        {"published": {"honest-1", "honest-2", "hostile-1"}},
        {"published": {"honest-1"}},
        {"jwks_fetches": 10},
        {"secret_loads": 10},
        {"log_lines": 1000},
        {"mebibytes": [60.0, 300.0]},
        {"mebibytes": [60.0] * 30 + [100.0] * 30},
    ],
)
def test_an_account_tells_every_problem(fact: dict[str, Any]) -> None:
    account = dataclasses.replace(GOOD, **fact)
    assert len(account.problems()) == 1
    assert "PROBLEM" in account.text()
