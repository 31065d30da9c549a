"""Every check of the account fails where it must: an account that cannot fail shows nothing."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from relay.jobs.documents import Record
from tests.soak.jobs import report
from tests.soak.jobs.account import Account, Copy, Found, draw_up
from tests.soak.jobs.plan import ZOMBIE, Task

TASKS = [
    Task(0, "batch", "succeeded", "sent"),
    Task(1, "video", "failed", "lost"),
    Task(2, "interaction", "completed", "doubled", asks=True),
    Task(3, "batch", ZOMBIE, "sent"),
]
IDS = {task.number: f"job_{task.number}" for task in TASKS}
COPIES = [
    Copy("msg_0", "batch.succeeded", "job_0", 1.0),
    Copy("msg_0", "batch.succeeded", "job_0", 3.0),
    Copy("rec_1", "video.failed", "job_1", 2.2),
    Copy("msg_2", "interaction.requires_action", "job_2", 2.0),
    Copy("msg_3", "interaction.completed", "job_2", 3.0),
    Copy("rec_3", "relay.job.overdue", "job_3", 4.0),
    Copy("rec_4", "relay.job.lost", "job_3", 5.0),
]


def record(number: int, state: str = "ended", by: str = "", **more: object) -> Record:
    fields = {"kind": TASKS[number].kind, "state": state, **more}
    if by:
        fields["announced"] = {"end": {"by": by}}
    return Record.of(IDS[number], fields)


@pytest.fixture
def found() -> Found:
    jobs = [record(0, by="msg_0"), record(1, by="rec_1"), record(2, by="msg_3"), record(3, "lost")]
    return Found(
        jobs={each.id: each for each in jobs},
        copies=COPIES,
        started=dict.fromkeys(IDS.values(), 1),
        deaths=[2.0],
    )


def account(found: Found) -> Account:
    return draw_up(
        TASKS, IDS, found, kills={"dispatch": 1}, reconciled_counts={}, lookups={}, seconds=1.0
    )


def test_an_account_without_errors_holds(found: Found) -> None:
    drawn = account(found)
    assert drawn.holds, report.text(drawn)
    assert (drawn.ended, drawn.announced_by_gemini, drawn.announced_by_us) == (3, 2, 1)
    assert (drawn.actions, drawn.overdue, drawn.lost, drawn.extra_copies) == (1, 1, 1, 1)
    assert drawn.webhooks == {"sent": 1, "doubled": 1}
    assert drawn.facts()["holds"] is True
    page = report.page(drawn, "python -m tests.soak.jobs", "2 cores")
    assert "HOLDS: 4 jobs, 3 ends" in page
    assert all(check.name in page for check in drawn.checks)


def more(*copies: Copy) -> Callable[[Found], Found]:
    return lambda found: dataclasses.replace(found, copies=[*found.copies, *copies])


def less(identifier: str) -> Callable[[Found], Found]:
    return lambda found: dataclasses.replace(
        found, copies=[each for each in found.copies if each.id != identifier]
    )


def job(changed: Record) -> Callable[[Found], Found]:
    return lambda found: dataclasses.replace(found, jobs={**found.jobs, changed.id: changed})


def other(**fields: object) -> Callable[[Found], Found]:
    return lambda found: dataclasses.replace(found, **fields)  # type: ignore[arg-type]


CHANGES: dict[str, tuple[str, Callable[[Found], Found]]] = {
    "doubled": (
        "each job's end is fanned out once",
        more(Copy("rec_0", "batch.succeeded", "job_0", 9.0)),
    ),
    "forgotten": ("each job's end is fanned out once", less("rec_1")),
    "another end": (
        "each job's end is fanned out once",
        lambda found: more(Copy("rec_1", "video.generated", "job_1", 2.0))(less("rec_1")(found)),
    ),
    "zombie ended": (
        "each job's end is fanned out once",
        more(Copy("rec_9", "batch.failed", "job_3", 9.0)),
    ),
    "action doubled": (
        "each job's action is fanned out once",
        more(Copy("rec_2", "interaction.requires_action", "job_2", 9.0)),
    ),
    "not overdue": ("each job's overdue is fanned out once", less("rec_3")),
    "not lost": ("each job's lost is fanned out once", less("rec_4")),
    "announced by another": (
        "the ledger says who announced each end",
        job(record(0, by="rec_0")),
    ),
    "still running": (
        "every job is ended or lost, and not asked about again",
        job(record(1, "running", by="rec_1")),
    ),
    "still asked about": (
        "every job is ended or lost, and not asked about again",
        job(record(1, by="rec_1", check_at=datetime.now(UTC))),
    ),
    "copy without a death": (
        "a copy comes again only after a dispatcher died",
        more(Copy("rec_1", "video.failed", "job_1", 2.5)),
    ),
    "started twice": (
        "each job was started once",
        other(started={**dict.fromkeys(IDS.values(), 1), "job_1": 2}),
    ),
    "nobody's": ("nothing came that is no job's", more(Copy("msg_9", "novelty", "", 9.0))),
    "undone": ("every delivery is done", other(undone=["msg_0"])),
    "traceback": ("no function wrote a traceback", other(tracebacks=["dispatch-1: KeyError"])),
    "dead letter": ("no dead letters", other(dead_letters=1)),
    "owed": ("nothing is owed", other(owed=1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_account_with_an_error_does_not_hold(found: Found, change: str) -> None:
    name, spoil = CHANGES[change]
    drawn = account(spoil(found))
    assert name in {check.name for check in drawn.checks if not check.holds}
    assert "FAILS" in report.text(drawn)
