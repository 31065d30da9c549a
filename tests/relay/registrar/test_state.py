from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relay.registrar.state import AFTER_A_DAY, AT_ONCE, OVERLAP, State, from_fields, to_fields

NOW = datetime(2027, 1, 15, tzinfo=UTC)

moments = st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
states = st.builds(
    State,
    webhook_id=st.text(max_size=5),
    pending=st.sampled_from(["", AFTER_A_DAY, AT_ONCE]),
    secret_version=st.integers(0, 500),
    stored_at=moments,
    retiring=st.dictionaries(st.integers(1, 500), moments, max_size=5),
    ping_due=st.booleans(),
    generation=st.none() | st.text(max_size=5),
    held=st.none() | st.text(max_size=5),
)


@given(states)
def test_a_state_survives_its_document(state: State) -> None:
    assert from_fields(to_fields(state)) == state
    assert from_fields({**to_fields(state), "owner": "x", "lease_until": NOW}) == state


def test_an_empty_document_is_the_beginning() -> None:
    assert from_fields({}) == State()


def test_the_state_holds_no_secret() -> None:
    assert not [name for name in vars(State()) if name in {"secret", "signing_secret", "api_key"}]


@given(states, st.integers(1, 1000), st.frozensets(st.integers(1, 1000), max_size=5))
def test_storing_retires_all_that_came_before(
    state: State, further: int, enabled: frozenset[int]
) -> None:
    version = max([state.secret_version, *state.retiring, *enabled]) + further
    stored = state.stored("w", version, NOW, enabled)
    assert (stored.pending, stored.secret_version, stored.webhook_id) == ("", version, "w")
    assert version not in stored.retiring
    assert len(stored.retiring) <= 200
    until = NOW if state.pending == AT_ONCE else NOW + OVERLAP
    assert all(at <= until for at in stored.retiring.values())
    if state.secret_version and version - state.secret_version <= 100:
        assert state.secret_version in stored.retiring


def test_versions_in_between_retire_as_lost_replies() -> None:
    state = State(secret_version=3, retiring={2: NOW}, pending=AFTER_A_DAY)
    stored = state.stored("w", 6, NOW, frozenset({1, 7}))
    later = NOW + timedelta(hours=24)
    assert stored.retiring == {1: later, 2: NOW, 3: later, 4: later, 5: later}
    assert stored.due(NOW) == [2]
    assert stored.retired([2]).due(later) == [1, 3, 4, 5]


def test_a_secret_counts_as_lacking_until_it_is_stored() -> None:
    state = State(webhook_id="w", secret_version=1)
    assert not state.lacks_secret("w")
    assert state.lacks_secret("x")
    assert state.asking("w", AT_ONCE).lacks_secret("w")
    assert replace(state, secret_version=0).lacks_secret("w")
