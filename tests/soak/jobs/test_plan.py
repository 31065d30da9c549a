from collections import Counter

import pytest

from relay.jobs import states
from tests.soak.jobs.plan import ZOMBIE, Task, tasks


def test_shares_are_exact_and_a_seed_decides_everything() -> None:
    planned = tasks(2000, seed=1)
    assert Counter(task.fate for task in planned) == {
        "sent": 1200,
        "lost": 400,
        "late": 200,
        "doubled": 200,
    }
    assert planned == tasks(2000, seed=1) != tasks(2000, seed=2)
    assert {task.kind for task in planned if task.asks} == {"interaction"}
    assert len({task.key for task in planned}) == 2000


def test_each_task_ends_or_is_given_up() -> None:
    planned = tasks(2000, seed=1)
    assert all(bool(task.end_type) is not task.lost for task in planned)
    assert all(states.is_end(task.kind, task.end_type) for task in planned if not task.lost)
    assert {task.end == ZOMBIE for task in planned if task.overdue} == {True}


@pytest.mark.parametrize(
    ("task", "event"),
    [
        (Task(0, "interaction", "completed", "lost"), "interaction.completed"),
        (Task(0, "interaction", "budget_exceeded", "sent"), "interaction.budget_exceeded"),
        (Task(0, "video", "filtered", "sent"), "video.failed"),
        (Task(0, "batch", "failed", "lost", "lost-reply"), "batch.failed"),
        (Task(0, "video", "succeeded", "late", "lost-reply"), "video.generated"),
        (Task(0, "video", "succeeded", "lost", "lost-reply"), ""),
        (Task(0, "interaction", "cancelled", "sent", "lost-reply"), ""),
        (Task(0, "batch", "succeeded", "sent", "lost-request"), ""),
        (Task(0, "batch", ZOMBIE, "sent"), ""),
    ],
)
def test_what_must_be_fanned_out_of_a_job(task: Task, event: str) -> None:
    assert task.end_type == event
