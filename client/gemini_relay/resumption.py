"""Which events of a stream that is cut and resumed are new. Pure.

Seen at Google: a resumed stream repeats events, also those without an id, or starts from the
beginning; an event's id is sometimes missing, and an event of a kind that the SDK does not know
has it in `raw` alone.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


class Resumption:
    """Passes each event with an id once, and an event without one unless a resume repeats it.

    An event without an id is known by its place: what follows an id on one connection is compared,
    event by event, with what followed it on those before, as long as both are the same.
    """

    def __init__(self, after: str | None = None) -> None:
        self._start = after
        self._last = after
        self._known = {after} if after else set()
        self._seen: dict[str | None, list[list[bytes]]] = {}
        self._anchor = after
        self._here: list[bytes] = []
        self._before: list[list[bytes]] = []

    @property
    def last(self) -> str | None:
        """The id to resume after; None: from the start."""
        return self._last

    def connected(self) -> None:
        """Begin a connection, which was asked for what follows `last` and may ignore that."""
        self._move_to(self._last)
        if self._last != self._start:
            self._before += self._seen.get(self._start, [])

    def takes(self, event: Any) -> bool:
        """Tell whether an event is new, and remember it."""
        identifier = event_id(event)
        if identifier is None:
            return self._takes_unnamed(_digest(event))
        new = identifier not in self._known
        if new:
            self._known.add(identifier)
            self._last = identifier
        self._move_to(identifier)
        return new

    def _takes_unnamed(self, digest: bytes) -> bool:
        place = len(self._here)
        self._here.append(digest)
        same = [each for each in self._before if each[place : place + 1] == [digest]]
        if not same:
            seen = self._seen.setdefault(self._anchor, [])
            if not any(each is self._here for each in seen):
                seen.append(self._here)
        self._before = same
        return not same

    def _move_to(self, anchor: str | None) -> None:
        self._anchor = anchor
        self._here = []
        self._before = [*self._seen.get(anchor, [])]


def event_id(event: Any) -> str | None:
    """Return an event's id, from its object or from what the SDK keeps of an unknown kind."""
    identifier = getattr(event, "event_id", None) or _raw(event).get("event_id")
    return identifier if isinstance(identifier, str) and identifier else None


def event_status(event: Any) -> str:
    """Return the status of the interaction that an event tells, or the empty string."""
    interaction = getattr(event, "interaction", None) or _raw(event).get("interaction")
    for holder in (interaction, event, _raw(event)):
        status = _field(holder, "status")
        if isinstance(status, str) and status:
            return status
    return ""


def is_event(item: Any) -> bool:
    """Tell whether the SDK yielded an event: of a frame that was cut off it yields the text."""
    return isinstance(getattr(item, "event_type", None), str)


def event_type(event: Any) -> str:
    """Return the event's type as Gemini wrote it, where the SDK knows it or not."""
    written = _raw(event).get("event_type")
    return written if isinstance(written, str) else str(getattr(event, "event_type", ""))


def _raw(event: Any) -> Mapping[str, Any]:
    raw = getattr(event, "raw", None)
    return raw if isinstance(raw, Mapping) else {}


def _field(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _digest(event: Any) -> bytes:
    dump = getattr(event, "model_dump", None)
    plain = dump(mode="json", warnings=False) if dump else vars(event)
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
