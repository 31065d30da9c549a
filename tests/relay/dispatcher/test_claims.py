from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.dispatcher.claims import (
    CLAIMED,
    DEAD_LETTERED,
    DONE,
    Record,
    Terms,
    Verdict,
    document_id,
    ended,
    first_claim,
    judge,
    resumed,
    shard,
    takeover,
)
from relay.dispatcher.event import Event
from relay.dispatcher.reference import Reference

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
TERMS = Terms()
EVENT = Event(
    key="evt_1",
    id="evt_1",
    type="batch.succeeded",
    scheme="v1",
    received_at="2027-01-15T09:59:59.500+02:00",
    route="",
    metadata={},
    attributes={},
    data=b"{}",
    about=Reference("batch", "batch_1", subject="batch_1"),
)


def record(**fields: Any) -> Record:
    return Record.of({**first_claim(EVENT, "a", NOW, TERMS), **fields})


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_the_times_stay_in_proportion_to_the_lease() -> None:
    assert (TERMS.budget, TERMS.patience) == (45.0, 3.0)
    short = Terms(lease=timedelta(seconds=8))
    assert (short.budget, short.patience) == (3.0, 0.2)
    assert Terms(lease=timedelta(seconds=600)).budget == 45.0


@pytest.mark.parametrize("lease", [2, 60, 120, 600])
def test_half_of_the_lease_covers_clock_differences(lease: int) -> None:
    terms = Terms(lease=timedelta(seconds=lease))
    assert terms.budget < lease / 2


def test_the_claim_of_a_replay_names_it() -> None:
    replayed = replace(EVENT, attributes={**EVENT.attributes, "replay": "r1"})
    original, repeat = (first_claim(each, "a", NOW, TERMS) for each in (EVENT, replayed))
    assert repeat == {**original, "replay": "r1"}


def test_a_first_claim() -> None:
    assert first_claim(EVENT, "a", NOW, TERMS) == {
        "id": "evt_1",
        "type": "batch.succeeded",
        "subject": "batch_1",
        "scheme": "v1",
        "received_at": datetime(2027, 1, 15, 7, 59, 59, 500_000, tzinfo=UTC),
        "shard": shard(document_id("evt_1")),
        "state": CLAIMED,
        "owner": "a",
        "attempt": 1,
        "lease_until": after(120),
        "expire_at": NOW + timedelta(days=7),
        "routes_done": [],
    }


def test_a_reception_without_time_counts_as_now() -> None:
    event = Event(**{**vars(EVENT), "received_at": ""})
    assert first_claim(event, "a", NOW, TERMS)["received_at"] == NOW


@pytest.mark.parametrize(
    ("fields", "seconds", "verdict"),
    [
        ({}, 0, Verdict.BUSY),
        ({}, 119, Verdict.BUSY),
        ({}, 120, Verdict.FREE),
        ({"state": DONE}, 0, Verdict.DUPLICATE),
        ({"state": DONE}, 7 * 86400 - 1, Verdict.DUPLICATE),
        ({"state": DONE}, 7 * 86400, Verdict.FREE),
        ({"state": DEAD_LETTERED, "lease_until": NOW}, 0, Verdict.FREE),
        ({"state": "of a later version"}, 0, Verdict.BUSY),
        ({"state": "of a later version"}, 120, Verdict.FREE),
        ({"lease_until": None}, 0, Verdict.FREE),
        ({"state": DONE, "expire_at": "soon"}, 0, Verdict.FREE),
    ],
)
def test_judging_a_document(fields: Mapping[str, Any], seconds: float, verdict: Verdict) -> None:
    assert judge(record(**fields), after(seconds)) is verdict


def test_a_takeover_resumes_where_the_other_worker_stopped() -> None:
    fields = takeover(record(routes_done=["blue"]), EVENT, "b", after(130), TERMS)
    assert fields["owner"] == "b"
    assert fields["attempt"] == 2
    assert fields["lease_until"] == after(250)
    assert fields["routes_done"] == ["blue"]


def test_after_its_retention_an_event_is_new() -> None:
    expired = record(state=DONE, routes_done=["events"], attempt=3)
    assert resumed(expired) == ()
    assert takeover(expired, EVENT, "b", after(8 * 86400), TERMS) == first_claim(
        EVENT, "b", after(8 * 86400), TERMS
    )


def test_an_end_records_state_and_progress() -> None:
    assert ended(DONE, {"events", "blue"}, NOW, TERMS) == {
        "state": DONE,
        "lease_until": NOW,
        "expire_at": NOW + timedelta(days=7),
        "routes_done": ["blue", "events"],
    }


@pytest.mark.parametrize("state", [CLAIMED, DEAD_LETTERED])
def test_progress_is_kept_as_long_as_a_dead_letter(state: str) -> None:
    assert ended(state, ["events"], NOW, TERMS)["expire_at"] == NOW + timedelta(days=31)
    assert ended(state, [], NOW, TERMS)["expire_at"] == NOW + timedelta(days=7)
    longer = Terms(retention=timedelta(days=90))
    assert ended(state, ["events"], NOW, longer)["expire_at"] == NOW + timedelta(days=90)


def test_an_end_leaves_the_document_free_at_once() -> None:
    fields = {**first_claim(EVENT, "a", NOW, TERMS), **ended(CLAIMED, [], after(9), TERMS)}
    assert judge(Record.of(fields), after(9)) is Verdict.FREE


def test_documents_have_legal_ids_and_spread_over_the_shards() -> None:
    ids = [document_id(f"evt_{number}\n/é") for number in range(500)]
    assert all(len(each) == 64 and each.isalnum() for each in ids)
    assert {shard(each) for each in ids} == set(range(16))


@given(
    fields=st.dictionaries(
        st.sampled_from(["state", "owner", "attempt", "lease_until", "expire_at", "routes_done"]),
        st.none()
        | st.text()
        | st.integers()
        | st.datetimes(timezones=st.just(UTC))
        | st.lists(st.integers() | st.text()),
    )
)
def test_any_document_can_be_judged(fields: Mapping[str, Any]) -> None:
    found = Record.of(fields)
    if judge(found, NOW) is Verdict.FREE:
        assert takeover(found, EVENT, "b", NOW, TERMS)["owner"] == "b"
    else:
        assert found.state == DONE or found.lease_until > NOW
