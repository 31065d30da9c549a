from collections import Counter

import pytest

from localcloud.gemini.settings import Scheme
from relay.dispatcher.routes import read_routes, select
from relay.environment import Environment
from tests.soak.plan import HOSTILITIES, ROUTES, STATUSES, deliveries, event, events
from tests.soak.schedule import ROTATIONS, STRUCK, UPHEAVALS, rounds, spread


def test_a_fifth_is_repeated_and_one_in_twenty_is_hostile() -> None:
    planned = list(deliveries(10_000, seed=7))
    assert len(planned) == 10_000
    assert sum(each.repeated for each in planned) == 2_000
    assert sum(each.hostility is not None for each in planned) == 500
    assert {each.hostility for each in planned} == {None, *HOSTILITIES}
    assert {each.event.scheme for each in planned} == {"v1", "v1a", "mixed", "jwt"}


def test_a_seed_decides_every_delivery() -> None:
    assert list(deliveries(300, seed=1)) == list(deliveries(300, seed=1))
    assert list(deliveries(300, seed=1)) != list(deliveries(300, seed=2))


def test_a_repeated_delivery_follows_its_first() -> None:
    seen = set()
    for each in deliveries(5_000, seed=3):
        if each.repeated:
            assert each.event.id in seen
        if not each.hostility:
            seen.add(each.event.id)
    assert seen == {each.id for each in events(5_000, seed=3)}


def test_no_hostile_delivery_has_the_id_of_an_event() -> None:
    genuine = {each.id for each in events(5_000, seed=3)}
    hostile = {each.event.id for each in deliveries(5_000, seed=3) if each.hostility}
    assert hostile
    assert not genuine & hostile


def test_events_expect_the_routes_that_the_dispatcher_takes() -> None:
    environ = {"GOOGLE_CLOUD_PROJECT": "soak", "ROUTES": ROUTES}
    routes = read_routes(Environment(environ))
    expected = Counter[str]()
    for number in range(500):
        each = event(1, number)
        team = next((team for team in ("blue", "red") if f'"{team}"'.encode() in each.body), None)
        taken = select(routes, each.type, {"team": team} if team else {})
        assert {route.name for route in taken} == each.routes
        expected.update(each.routes)
    assert expected["events"] == 500
    assert expected["blue"]
    assert expected["failures"]


@pytest.mark.parametrize("scheme", ["jwt"])
def test_an_event_fits_into_a_token(scheme: Scheme) -> None:
    held = [each for each in events(5_000, seed=1) if each.scheme == scheme]
    assert held
    assert max(len(each.body) for each in held) < 1_000


def test_every_kind_of_hostility_has_expected_statuses() -> None:
    assert STATUSES.keys() == set(HOSTILITIES)
    assert not any(statuses & {200, 500, 503} for statuses in STATUSES.values())


def test_actions_are_spread_over_the_middle() -> None:
    plan = spread(UPHEAVALS, 2, 1_000)
    counts = [count for count, _ in plan]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (50, 850)
    assert [action for _, action in plan] == list(UPHEAVALS) * 2
    assert spread(ROTATIONS[:1], 1, 1_000) == [(50, ROTATIONS[0])]


def test_every_fault_strikes_some_calls() -> None:
    services = {"pubsub", "firestore", "secretmanager"}
    assert {action for action in UPHEAVALS if action[0] in services} == STRUCK.keys()
    assert all(calls > 0 for calls in STRUCK.values())


def test_more_deliveries_make_more_rounds() -> None:
    assert (rounds(1), rounds(24_000), rounds(100_000)) == (1, 2, 8)
