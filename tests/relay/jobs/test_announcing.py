from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.jobs import reconciled
from relay.jobs.announcing import Decision, Verdict, decide
from relay.jobs.documents import Record
from relay.jobs.names import INTERACTION, key_id
from relay.jobs.states import ENDED, RUNNING

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
JOB = key_id("report-42")
END = reconciled.event_id(JOB, reconciled.END)
ACTION = reconciled.event_id(JOB, reconciled.ACTION)
COMPLETED, ASKS = "interaction.completed", "interaction.requires_action"
GO_ON = Decision(Verdict.GO_ON, {})
FURTHER = Decision(Verdict.FAN_OUT, {})


def job(state: str = RUNNING, **announced: Any) -> Record:
    fields = {"kind": INTERACTION, "state": state, "announced": announced}
    return Record.of(JOB, fields)


def end(record: Record, key: str, scheme: str = "v1") -> Decision:
    return decide(record, COMPLETED, key, scheme, NOW)


def action(record: Record, key: str, scheme: str = "v1") -> Decision:
    return decide(record, ASKS, key, scheme, NOW)


@pytest.mark.parametrize("state", [RUNNING, ENDED])
@pytest.mark.parametrize("announced", [{}, {"end": None}, {"end": {"by": ""}}, {"end": {"by": 7}}])
def test_the_first_end_is_announced_whatever_the_state(
    state: str, announced: dict[str, Any]
) -> None:
    decision = end(job(state, **announced), "evt_1")
    entry = {"by": "evt_1", "at": NOW, "type": COMPLETED}
    assert decision == Decision(Verdict.FAN_OUT, {"announced": {"end": entry}})


def test_an_end_that_we_announced_goes_on_and_anothers_is_absorbed() -> None:
    record = job(end={"by": "evt_1"}, action={"by": "evt_0"})
    assert end(record, "evt_1") == GO_ON
    assert end(record, "evt_2") == Decision(Verdict.ABSORB, {}, "evt_1")
    assert end(record, END, reconciled.SCHEME) == Decision(Verdict.ABSORB, {}, "evt_1")


def test_an_announcement_keeps_the_other_and_what_it_does_not_know() -> None:
    record = job(action={"by": "evt_0"}, later={"x": 1})
    announced = end(record, "evt_1").fields["announced"]
    assert announced["action"] == {"by": "evt_0"}
    assert announced["later"] == {"x": 1}


def test_a_reconciled_action_absorbs_one_genuine_event() -> None:
    record = job(action={"by": ACTION, "at": NOW})
    assert action(record, ACTION, reconciled.SCHEME) == GO_ON
    first = action(record, "evt_1")
    entry = {"by": ACTION, "at": NOW, "absorbed": "evt_1"}
    assert first == Decision(Verdict.ABSORB, {"announced": {"action": entry}}, ACTION)
    record = job(action=entry)
    assert action(record, "evt_1") == Decision(Verdict.ABSORB, {}, ACTION)
    assert action(record, "evt_2") == FURTHER


def test_further_questions_are_fanned_out_and_the_reconcilers_is_absorbed() -> None:
    record = job(action={"by": "evt_1"})
    assert action(record, "evt_1") == GO_ON
    assert action(record, "evt_2") == FURTHER
    decision = action(record, ACTION, reconciled.SCHEME)
    assert decision == Decision(Verdict.ABSORB, {}, "evt_1")


@pytest.mark.parametrize("event_type", ["interaction.idle", "relay.job.lost", "batch.succeeded"])
def test_any_other_event_goes_on(event_type: str) -> None:
    record = job(end={"by": "evt_1"}, action={"by": "evt_1"})
    assert decide(record, event_type, "evt_2", "v1", NOW) == GO_ON


EVENTS = st.sampled_from(
    [(END, COMPLETED, reconciled.SCHEME), (ACTION, ASKS, reconciled.SCHEME)]
    + [(f"e{n}", "interaction." + word, "v1") for n, word in enumerate(["completed", "failed"])]
    + [(f"a{n}", ASKS, "v1") for n in range(3)]
)


@given(st.lists(EVENTS))
def test_one_end_is_fanned_out_and_a_decision_does_not_change(
    events: list[tuple[str, str, str]],
) -> None:
    record, out, absorbed = job(), set[str](), set[str]()
    for key, event_type, scheme in events:
        decision = decide(record, event_type, key, scheme, NOW)
        announced = decision.fields.get("announced", record.announced)
        record = job(**announced)
        (absorbed if decision.verdict is Verdict.ABSORB else out).add(key)
        # The write is applied; the same event then needs no other.
        again = decide(record, event_type, key, scheme, NOW)
        assert (again.verdict is Verdict.ABSORB, again.fields) == (key in absorbed, {})
    assert not out & absorbed
    assert len(out & {END, "e0", "e1"}) <= 1
    # The reconciler's action stands for one genuine event, and absorbs no other.
    genuine = {"a0", "a1", "a2"}
    assert len(absorbed & genuine) == (ACTION in out and bool((out | absorbed) & genuine))


def test_a_reconciled_event_has_the_same_id_at_every_attempt() -> None:
    assert reconciled.event_id("job_x", "end") == "rec_44ca6f30b5a225be55bf4150ff19e38f"
