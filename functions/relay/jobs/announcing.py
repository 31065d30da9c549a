"""Whether an event of a job is fanned out, or absorbed because another has announced the same.

A webhook that did not come has an id that nobody knows, so the reconciler announces its event under
an id of its own, and the two have different keys in the ledger of deliveries. What makes them one
is the job's document: `announced.end` and `announced.action` say under which key the end and the
action were announced. The dispatcher alone writes them, before it fans the event out, on the
condition that the document is still at the version read.

`announced` alone decides: a job may have ended long before its end is announced.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from relay.jobs import reconciled, states
from relay.jobs.documents import Fields, Record


class Verdict(Enum):
    """What becomes of an event."""

    FAN_OUT = "fan-out"
    """It is news of the job: move the job, and fan the event out."""
    GO_ON = "go-on"
    """Nothing is to write: fan the event out."""
    ABSORB = "absorb"
    """It is not fanned out."""


@dataclass(frozen=True)
class Decision:
    """A verdict, what must be written into the job before it, and who announced it before us.

    `fields` is empty where nothing is to write. `absorbed_by` is the key under which the same was
    announced; it is empty unless the event is absorbed.
    """

    verdict: Verdict
    fields: Fields
    absorbed_by: str = ""


_GO_ON = Decision(Verdict.GO_ON, {})


def decide(record: Record, event_type: str, key: str, scheme: str, now: datetime) -> Decision:
    """Decide on an event of a job: `key` is its dedup key, `scheme` its attribute.

    An event that is neither an end nor an action of this kind of job goes on, without a change in
    the job. A replay must not be asked about: it is fanned out whatever was announced.
    """
    if states.is_end(record.kind, event_type):
        return _end(record, event_type, key, now)
    if states.is_action(record.kind, event_type):
        return _action(record, event_type, key, scheme, now)
    return _GO_ON


def _end(record: Record, event_type: str, key: str, now: datetime) -> Decision:
    by = record.announcement(reconciled.END).get("by")
    if by is None:
        entry = {"by": key, "at": now, "type": event_type}
        return Decision(Verdict.FAN_OUT, _announced(record, reconciled.END, entry))
    # Ours: a worker died between announcing it and the end of its claim.
    return _GO_ON if by == key else Decision(Verdict.ABSORB, {}, by)


def _action(record: Record, event_type: str, key: str, scheme: str, now: datetime) -> Decision:
    found = record.announcement(reconciled.ACTION)
    by, absorbed = found.get("by"), found.get("absorbed")
    if by is None:
        entry = {"by": key, "at": now, "type": event_type}
        return Decision(Verdict.FAN_OUT, _announced(record, reconciled.ACTION, entry))
    if by == key:
        return _GO_ON
    if absorbed == key or scheme == reconciled.SCHEME:
        return Decision(Verdict.ABSORB, {}, by)
    if by.startswith(reconciled.PREFIX) and not absorbed:
        # The genuine event of the action that was announced in Gemini's place.
        entry = {**found, "absorbed": key}
        return Decision(Verdict.ABSORB, _announced(record, reconciled.ACTION, entry), by)
    # A further question: a job may have many.
    return Decision(Verdict.FAN_OUT, {})


def _announced(record: Record, word: str, entry: Fields) -> Fields:
    return {"announced": {**record.announced, word: entry}}
