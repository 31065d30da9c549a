"""The states of jobs, what ends them, and when to ask Gemini about them."""

from datetime import datetime, timedelta

from relay.jobs.names import BATCH, INTERACTION, VIDEO, event_kind

STARTING = "starting"
RUNNING = "running"
ENDED = "ended"
REFUSED = "refused"
LOST = "lost"
"""The states of a job. `starting`, `running` and `lost` become `ended`; `ended` and `refused`
stay. A lost job is one that nobody asks about any more."""

FINAL = frozenset({ENDED, REFUSED})

SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"
EXPIRED = "expired"
INCOMPLETE = "incomplete"

REQUIRES_ACTION = "requires_action"
"""The status of an interaction that waits for an answer."""

OVERDUE_TYPE = "relay.job.overdue"
LOST_TYPE = "relay.job.lost"
COLLECTED_TYPE = "relay.job.collected"
"""The types of our own events, which name a job by `relay_job` alone and end none."""

NOT_FOUND_GRACE = timedelta(hours=24)
"""For how long after its start a job that Gemini does not know may still appear.

https://github.com/googleapis/python-genai/issues/2985
"""

GIVE_UP = timedelta(hours=72)
"""After how long a job counts as lost, unless `GIVE_UP_HOURS` says otherwise."""

RETENTION = timedelta(days=30)
"""How long a job's document is kept once there is nothing more to wait for."""

ADOPTED_LOOK = timedelta(hours=1)
"""How long after its creation an adopted batch is first asked about."""

_LONGEST_PAUSE = timedelta(hours=6)
_FIRST_LOOKS = {
    VIDEO: timedelta(minutes=10),
    INTERACTION: timedelta(minutes=15),
    BATCH: timedelta(minutes=60),
}
_DEEP_RESEARCH_LOOK = timedelta(minutes=30)
_STATUS_PREFIXES = ("batch_state_", "job_state_")

_OUTCOMES = {
    BATCH: {
        "succeeded": SUCCEEDED,
        "completed": SUCCEEDED,
        "failed": FAILED,
        "cancelled": CANCELLED,
        "expired": EXPIRED,
    },
    INTERACTION: {
        "completed": SUCCEEDED,
        "failed": FAILED,
        "cancelled": CANCELLED,
        "incomplete": INCOMPLETE,
        "budget_exceeded": INCOMPLETE,
    },
    VIDEO: {"generated": SUCCEEDED, "failed": FAILED},
}


def normal_status(word: str) -> str:
    """Return a status of the API in lower case, without `BATCH_STATE_` or `JOB_STATE_`."""
    word = word.lower()
    for prefix in _STATUS_PREFIXES:
        word = word.removeprefix(prefix)
    return word


def outcome(kind: str, status: str) -> str | None:
    """Return the outcome of a job that has this status, in normal form; None if it goes on.

    A status that is not known goes on: it is kept, and asked for again.
    """
    return _OUTCOMES.get(kind, {}).get(status)


def event_status(event_type: str) -> str:
    """Return the status that an event announces: its type's last part."""
    return event_type.rpartition(".")[2]


def event_outcome(event_type: str) -> str | None:
    """Return the outcome of the job that an event ends; None for an event that ends none."""
    kind, _, status = event_type.partition(".")
    return outcome(kind, status)


def is_end(kind: str, event_type: str) -> bool:
    """Tell whether an event of this type is an end of a job of this kind."""
    return event_kind(event_type) == kind and event_outcome(event_type) is not None


def is_action(kind: str, event_type: str) -> bool:
    """Tell whether an event of this type says that a job of this kind waits for an answer."""
    return kind == INTERACTION and event_type == f"{INTERACTION}.{REQUIRES_ACTION}"


def first_look(kind: str, target: str | None) -> timedelta:
    """Return how long after its start a job is first asked about, by its model or agent."""
    if kind == INTERACTION and "deep-research" in (target or ""):
        return _DEEP_RESEARCH_LOOK
    return _FIRST_LOOKS.get(kind, _LONGEST_PAUSE)


def next_look(kind: str, target: str | None, start: datetime | None, now: datetime) -> datetime:
    """Return when to ask again about a job that has not ended.

    The pause is the time since the start where that is known, so that it doubles by itself: at
    least the first look's, at most 6 hours.
    """
    pause = first_look(kind, target)
    if start is not None:
        pause = max(pause, now - start)
    return now + min(pause, _LONGEST_PAUSE)
