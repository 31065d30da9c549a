import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.jobs import documents
from relay.jobs.documents import Fields, Record
from relay.jobs.names import BATCH, INTERACTION, VIDEO, adopted_id, key_id, shard
from relay.jobs.states import ENDED, FINAL, LOST, REFUSED, RUNNING, STARTING

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
JOB = key_id("report-42")
MONTH = timedelta(days=30)
STATES = [STARTING, RUNNING, ENDED, REFUSED, LOST]
FIELDS = [each.name for each in dataclasses.fields(Record) if each.name != "id"]


def record(state: str = RUNNING, **fields: Any) -> Record:
    return Record.of(JOB, {"kind": BATCH, "state": state, "token": "t", "shard": 1, **fields})


def after(found: Record, fields: Fields) -> Record:
    """Apply a write to a document."""
    known = {name: getattr(found, name) for name in FIELDS}
    return Record.of(found.id, {**known, **fields})


STEPS: dict[str, Callable[[Record], Fields]] = {
    "started": lambda found: documents.started(found, "batches/x", LATER, status="running"),
    "refused": lambda found: documents.refused(found, {"code": "400"}, LATER),
    "running": lambda found: documents.running(found, "running"),
    "ended": lambda found: documents.ended(found, "failed", LATER, announced=False),
    "announced": lambda found: documents.ended(found, "succeeded", LATER, announced=True),
    "asked again": lambda found: documents.asked_again(found, LATER, status="running"),
    "overdue": lambda _found: documents.overdue(LATER),
    "lost": lambda found: documents.lost(found, LATER),
}


def test_a_document_of_four_fields_is_valid() -> None:
    found = record()
    assert (found.kind, found.state, found.token) == (BATCH, RUNNING, "t")
    assert (found.metadata, found.announced) == ({}, {})
    rest = set(FIELDS) - {"kind", "state", "token", "metadata", "announced"}
    assert {getattr(found, name) for name in rest} == {None}


@given(st.dictionaries(st.sampled_from(FIELDS), st.none() | st.integers() | st.lists(st.text())))
def test_malformed_fields_read_as_missing(fields: dict[str, Any]) -> None:
    found = Record.of(JOB, fields)
    assert found == Record.of(JOB, {})
    assert not found.announcement("end")


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(record(token="secret"))


def test_a_job_about_to_be_posted_has_its_intent_written() -> None:
    fields = documents.starting(
        JOB, INTERACTION, "t", NOW, key="report-42", target="gemini", metadata={"team": "blue"}
    )
    assert fields == {
        "kind": INTERACTION,
        "token": "t",
        "state": STARTING,
        "key": "report-42",
        "target": "gemini",
        "metadata": {"team": "blue"},
        "created_at": NOW,
        "check_at": NOW + timedelta(minutes=15),
        "announced": {},
        "shard": shard(JOB),
    }


def test_a_started_job_has_a_name_and_is_looked_at_from_then_on() -> None:
    fields = documents.started(record(STARTING), "batches/x", LATER, status="pending")
    assert fields == {
        "name": "batches/x",
        "started_at": LATER,
        "state": RUNNING,
        "status": "pending",
        "check_at": LATER + timedelta(hours=1),
    }


@pytest.mark.parametrize("state", [RUNNING, ENDED, LOST])
def test_a_reply_that_comes_after_the_event_adds_the_name_alone(state: str) -> None:
    fields = documents.started(record(state), "batches/x", LATER)
    assert fields == {"name": "batches/x", "started_at": LATER}


def test_a_refused_job_is_kept_for_a_month_and_not_looked_at() -> None:
    fields = documents.refused(record(STARTING), {"code": "400", "message": "no"}, NOW)
    assert fields == {
        "state": REFUSED,
        "error": {"code": "400", "message": "no"},
        "check_at": None,
        "expire_at": NOW + MONTH,
    }


@pytest.mark.parametrize("state", [STARTING, RUNNING, LOST])
def test_whoever_ends_a_job_says_how_and_when(state: str) -> None:
    error = {"code": "13", "message": "internal"}
    fields = documents.ended(record(state), "failed", NOW, announced=True, error=error)
    assert fields == {
        "state": ENDED,
        "status": "failed",
        "outcome": "failed",
        "error": error,
        "ended_at": NOW,
        "expire_at": NOW + MONTH,
        "check_at": None,
    }


def test_an_end_that_is_not_announced_keeps_its_look() -> None:
    fields = documents.ended(record(check_at=LATER), "cancelled", NOW, announced=False)
    assert "check_at" not in fields
    ended = after(record(check_at=LATER), fields)
    assert documents.ended(ended, "cancelled", LATER, announced=False) == {}
    assert documents.ended(ended, "cancelled", LATER, announced=True) == {"check_at": None}


def test_a_look_without_an_end_is_repeated() -> None:
    found = record(created_at=NOW, started_at=NOW + timedelta(hours=1), kind=VIDEO)
    fields = documents.asked_again(found, NOW + timedelta(hours=3), status="running")
    assert fields == {"check_at": NOW + timedelta(hours=5), "status": "running"}
    assert documents.asked_again(record(ENDED, created_at=NOW), LATER, status="running") == {
        "check_at": LATER + timedelta(hours=2)
    }


def test_a_lost_job_is_not_looked_at_any_more() -> None:
    assert documents.lost(record(), NOW) == {
        "state": LOST,
        "check_at": None,
        "expire_at": NOW + MONTH,
    }
    assert documents.lost(record(ENDED, check_at=NOW), NOW) == {"check_at": None}


def test_an_adopted_batch_is_looked_at_an_hour_after_its_creation() -> None:
    fields = documents.adopted("batches/x", "t", NOW, status="running", target="models/m")
    found = Record.of(adopted_id("batches/x"), fields)
    assert (found.kind, found.state, found.name, found.key) == (BATCH, RUNNING, "batches/x", None)
    assert found.start == NOW
    assert found.check_at == NOW + timedelta(hours=1)
    assert fields["shard"] == shard(found.id)


def test_a_name_leads_to_a_job_or_to_none() -> None:
    assert documents.alias(JOB) == {"job": JOB}
    assert documents.alias_job(documents.alias(JOB)) == JOB
    for malformed in ({}, {"job": 7}, {"job": "jobs/x"}):
        assert documents.alias_job(malformed) == ""


@given(st.sampled_from(STATES), st.lists(st.sampled_from(sorted(STEPS)), max_size=8))
def test_a_job_only_moves_forward(state: str, steps: list[str]) -> None:
    found = record(state, created_at=NOW, check_at=NOW)
    for step in steps:
        before, found = found, after(found, STEPS[step](found))
        if before.state in FINAL:
            told = ("state", "status", "outcome", "error", "ended_at", "expire_at")
            assert all(getattr(before, name) == getattr(found, name) for name in told)
        if before.state == LOST:
            assert found.state in {LOST, ENDED}
        # Nothing is forgotten: what may still end is looked at, or lost, until its end is known.
        if found.state in {STARTING, RUNNING}:
            assert found.check_at is not None
        if found.state == ENDED:
            assert found.outcome or before.state == ENDED
            assert found.ended_at is None or found.expire_at == found.ended_at + MONTH
