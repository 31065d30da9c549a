"""The identity of the events that the reconciler publishes in Gemini's place."""

import hashlib

SCHEME = "reconciled"
"""The attribute `scheme` of such an event."""

PREFIX = "rec_"

END = "end"
ACTION = "action"
OVERDUE = "overdue"
LOST = "lost"
"""The words of the four events that a job can have of us, each of which is published once."""


def event_id(job: str, word: str) -> str:
    """Return the `webhook-id` and `dedup-key` of such an event: the same at every attempt."""
    return PREFIX + hashlib.sha256(f"{job}\n{word}".encode()).hexdigest()[:32]
