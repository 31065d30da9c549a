"""The account of a soak of jobs: each job held against what was fanned out, and what is written."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from relay.jobs import reconciled, states
from relay.jobs.documents import Record
from tests.soak.account import Check
from tests.soak.jobs.plan import Task


@dataclass(frozen=True)
class Copy:
    """A message of the events topic; `at` is when it was published, by the monotonic clock."""

    id: str
    type: str
    job: str
    at: float


@dataclass
class Found:
    """What there is at the end, of jobs by their ids.

    `started` counts what Gemini has started for each, `deaths` are the times by which a dispatcher
    was dead, `absorbed` counts the deliveries that were, `undone` those that are not done.
    """

    jobs: Mapping[str, Record]
    copies: Sequence[Copy]
    started: Mapping[str, int]
    deaths: Sequence[float] = ()
    absorbed: int = 0
    undone: Sequence[str] = ()
    dead_letters: int = 0
    owed: int = 0
    tracebacks: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Account:
    """The facts of a run; counts, but for `checks` and `seconds`.

    `webhooks` counts those of ends, by what becomes of them.
    """

    jobs: int
    webhooks: Mapping[str, int]
    starts: Mapping[str, int]
    ended: int
    announced_by_gemini: int
    announced_by_us: int
    actions: int
    overdue: int
    lost: int
    absorbed: int
    extra_copies: int
    kills: Mapping[str, int]
    reconciled: Mapping[str, int]
    lookups: Mapping[str, int]
    seconds: float
    checks: Sequence[Check] = field(default_factory=tuple)

    @property
    def holds(self) -> bool:
        """Whether every check does."""
        return all(check.holds for check in self.checks)

    def facts(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {**asdict(self), "holds": self.holds}


def draw_up(
    tasks: Iterable[Task],
    ids: Mapping[int, str],
    found: Found,
    *,
    kills: Mapping[str, int],
    reconciled_counts: Mapping[str, int],
    lookups: Mapping[str, int],
    seconds: float,
) -> Account:
    """Hold all of it against each other; `ids` are the jobs' ids by the tasks' numbers."""
    wanted = {ids[task.number]: task for task in tasks}
    ends = _of(found.copies, wanted, _is_end)
    actions = _of(found.copies, wanted, lambda kind, each: states.is_action(kind, each.type))
    overdue = _of(found.copies, wanted, lambda _, each: each.type == states.OVERDUE_TYPE)
    lost = _of(found.copies, wanted, lambda _, each: each.type == states.LOST_TYPE)
    firsts = [copies[0] for copies in ends.values()]
    by_us = sum(each.id.startswith(reconciled.PREFIX) for each in firsts)
    extra = _extra(found.copies)
    return Account(
        jobs=len(wanted),
        webhooks=dict(Counter(task.fate for task in wanted.values() if task.announced)),
        starts=dict(Counter(task.start for task in wanted.values())),
        ended=len(ends),
        announced_by_gemini=len(firsts) - by_us,
        announced_by_us=by_us,
        actions=len(actions),
        overdue=len(overdue),
        lost=len(lost),
        absorbed=found.absorbed,
        extra_copies=sum(len(copies) - 1 for copies in extra),
        kills=dict(kills),
        reconciled=dict(reconciled_counts),
        lookups=dict(lookups),
        seconds=round(seconds, 1),
        checks=[
            _once(wanted, ends, "end", lambda task: [task.end_type] if task.end_type else []),
            _once(wanted, actions, "action", _action),
            _once(wanted, overdue, "overdue", lambda task: [states.OVERDUE_TYPE] * task.overdue),
            _once(wanted, lost, "lost", lambda task: [states.LOST_TYPE] * task.lost),
            _same_end(ends, found.jobs),
            _written(wanted, found.jobs),
            _explained(extra, found.deaths),
            _nothing(
                "each job was started once",
                [
                    job
                    for job, task in wanted.items()
                    if found.started.get(job, 0) != _started(task)
                ],
            ),
            _nothing(
                "nothing came that is no job's",
                [each.id for each in found.copies if each.job not in wanted],
            ),
            _nothing("every delivery is done", found.undone),
            _nothing("no function wrote a traceback", found.tracebacks),
            Check("no dead letters", not found.dead_letters, str(found.dead_letters)),
            Check("nothing is owed", not found.owed, f"{found.owed} messages"),
        ],
    )


def _is_end(kind: str, copy: Copy) -> bool:
    return states.is_end(kind, copy.type)


def _of(copies: Iterable[Copy], wanted: Mapping[str, Task], belongs: Any) -> dict[str, list[Copy]]:
    found = defaultdict(list)
    for each in copies:
        if each.job in wanted and belongs(wanted[each.job].kind, each):
            found[each.job].append(each)
    return dict(found)


def _once(
    wanted: Mapping[str, Task], found: Mapping[str, Sequence[Copy]], what: str, types: Any
) -> Check:
    """Each job's event has come under one id, if it must come at all."""
    wrong = []
    for job, task in wanted.items():
        seen = {each.id: each.type for each in found.get(job, ())}
        if sorted(seen.values()) != types(task):
            wrong.append(f"{job} ({task.kind} {task.end or 'zombie'}, {task.fate}): {seen}")
    expected = sum(bool(types(task)) for task in wanted.values())
    detail = f"{len(found)} of {expected}"
    return Check(f"each job's {what} is fanned out once", not wrong, _listed(detail, wrong))


def _action(task: Task) -> list[str]:
    return ["interaction.requires_action"] if task.asks else []


def _same_end(ends: Mapping[str, Sequence[Copy]], jobs: Mapping[str, Record]) -> Check:
    wrong = [
        job
        for job, copies in ends.items()
        if jobs[job].announcement(reconciled.END).get("by") != copies[0].id
    ]
    return Check("the ledger says who announced each end", not wrong, _listed("", wrong))


def _written(wanted: Mapping[str, Task], jobs: Mapping[str, Record]) -> Check:
    wrong = []
    for job, task in wanted.items():
        record = jobs.get(job)
        if record is None:
            wrong.append(f"{job}: no document")
            continue
        expected = states.LOST if task.lost else states.ENDED
        if record.state != expected or record.check_at is not None:
            wrong.append(f"{job}: {record.state}, check_at {record.check_at}")
    return Check(
        "every job is ended or lost, and not asked about again", not wrong, _listed("", wrong)
    )


def _started(task: Task) -> int:
    return 0 if task.start == "lost-request" else 1


def _extra(copies: Iterable[Copy]) -> list[list[Copy]]:
    by_id = defaultdict(list)
    for each in copies:
        by_id[each.id].append(each)
    return [found for found in by_id.values() if len(found) > 1]


def _explained(extra: Iterable[Sequence[Copy]], deaths: Sequence[float]) -> Check:
    """A copy comes again only after the death of a dispatcher that had not recorded the first."""
    wrong = [
        f"{before.id} after {after.at - before.at:.1f} s, {_since(before.at, deaths)}"
        for copies in extra
        for before, after in itertools.pairwise(copies)
        if not any(before.at <= death <= after.at for death in deaths)
    ]
    return Check(
        "a copy comes again only after a dispatcher died",
        not wrong,
        _listed(f"{len(deaths)} deaths", wrong),
    )


def _since(at: float, deaths: Sequence[float]) -> str:
    before = [at - death for death in deaths if death < at]
    return f"{min(before):.3f} s after a death" if before else "before any death"


def _nothing(name: str, found: Iterable[str]) -> Check:
    entries = list(found)
    return Check(name, not entries, _listed("", entries))


def _listed(detail: str, wrong: Sequence[str]) -> str:
    return ", ".join([*([detail] if detail else []), f"{len(wrong)} wrong", *wrong[:5]])
