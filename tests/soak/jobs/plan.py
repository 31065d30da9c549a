"""The jobs of a soak, from a seed: how each starts and ends, and what must be fanned out of it.

Pure, so that the run and the account work it out for themselves.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from localcloud.gemini.jobs import Fate

Kind = Literal["interaction", "batch", "video"]
Start = Literal["known", "lost-reply", "lost-request"]
"""Whether the reply to a job's creation comes, or only its effect, or neither. The plan does not
know: the run says so of each start that becomes unknown."""

ZOMBIE = ""
"""The end of a job that runs for ever."""

_KINDS: dict[Kind, tuple[int, dict[str, int]]] = {
    "interaction": (
        5,
        {"completed": 12, "failed": 2, "cancelled": 2, "incomplete": 1, "budget_exceeded": 1},
    ),
    "batch": (3, {"succeeded": 6, "failed": 1, "cancelled": 1, "expired": 1}),
    "video": (2, {"succeeded": 6, "failed": 1, "filtered": 1}),
}
"""Each kind's weight among all, and the weights of its ends."""

_SILENT = {
    *(("interaction", end) for end in ("cancelled", "incomplete", "budget_exceeded")),
    ("batch", "cancelled"),
    *(("video", end) for end in ("failed", "filtered")),
}
"""The ends of which Gemini sends no event."""


@dataclass(frozen=True)
class Task:
    """One job: its `end` in Gemini's word, and what becomes of the webhooks of it.

    One that `asks` is in `requires_action` before.
    """

    number: int
    kind: Kind
    end: str
    fate: Fate
    start: Start = "known"
    asks: bool = False

    @property
    def key(self) -> str:
        """The idempotency key under which it is started."""
        return f"task-{self.number}"

    @property
    def announced(self) -> bool:
        """Whether Gemini has an event of its end."""
        ends = self.end != ZOMBIE and self.start != "lost-request"
        return ends and (self.kind, self.end) not in _SILENT

    @property
    def end_type(self) -> str:
        """The type of the event that must tell of its end, exactly once; empty for none."""
        if self.end == ZOMBIE or self.start == "lost-request":
            return ""
        # One whose name nobody knows is found by its event, and a batch by its display name.
        told = self.announced and self.fate != "lost"
        if self.start == "lost-reply" and self.kind != "batch" and not told:
            return ""
        if self.kind == "video":
            return "video.generated" if self.end == "succeeded" else "video.failed"
        return f"{self.kind}.{self.end}"

    @property
    def lost(self) -> bool:
        """Whether it must be given up, which `relay.job.lost` tells exactly once."""
        return not self.end_type

    @property
    def overdue(self) -> bool:
        """Whether its deadline passes, which `relay.job.overdue` tells exactly once."""
        return self.end == ZOMBIE


def tasks(number: int, seed: int) -> list[Task]:
    """Return so many jobs, in the order in which they start.

    Of the webhooks exactly 20 % are lost, 10 % late and 10 % doubled; 2 % of the jobs run for ever;
    a fifth of the interactions asks first.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    fates = _shares(number, chance, {"lost": 0.2, "late": 0.1, "doubled": 0.1}, "sent")
    zombies = _shares(number, chance, {"zombie": 0.02}, "")
    weights = [weight for weight, _ in _KINDS.values()]
    made = []
    for index in range(number):
        kind = chance.choices([*_KINDS], weights)[0]
        ends = _KINDS[kind][1]
        end = chance.choices([*ends], [*ends.values()])[0]
        zombie = bool(zombies[index])
        asks = kind == "interaction" and not zombie and chance.random() < 0.2
        fate: Fate = fates[index]  # type: ignore[assignment]
        made.append(Task(index, kind, ZOMBIE if zombie else end, fate, asks=asks))
    return made


def _shares(
    number: int, chance: random.Random, shares: dict[str, float], rest: str
) -> Sequence[str]:
    dealt = [name for name, share in shares.items() for _ in range(round(share * number))]
    dealt += [rest] * (number - len(dealt))
    chance.shuffle(dealt)
    return dealt
