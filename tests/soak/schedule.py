"""When what goes wrong: at counts of deliveries, never at times."""

from collections.abc import Mapping, Sequence
from typing import Literal

Fault = Literal["refuse", "hang", "lose-reply"]

Action = tuple[str, str]
"""What is struck, and how."""

UPHEAVALS: Sequence[Action] = (
    ("pubsub", "refuse"),
    ("secretmanager", "hang"),
    ("receive-2", "kill"),
    ("firestore", "lose-reply"),
    ("dispatch-2", "stop"),
    ("pubsub", "lose-reply"),
    ("dispatch-2", "kill"),
    ("dispatch-2", "freeze"),
    ("firestore", "hang"),
    # Only who starts, or meets an unknown key, asks Secret Manager at all.
    ("secretmanager", "refuse"),
    ("receive-2", "stop"),
    ("pubsub", "hang"),
    ("firestore", "refuse"),
)
"""One round of what happens to the functions and Google's services."""

STRUCK: Mapping[Action, int] = {
    ("pubsub", "refuse"): 25,
    ("pubsub", "hang"): 6,
    ("pubsub", "lose-reply"): 25,
    ("firestore", "refuse"): 25,
    ("firestore", "hang"): 6,
    ("firestore", "lose-reply"): 25,
    ("secretmanager", "refuse"): 4,
    ("secretmanager", "hang"): 3,
}
"""How many calls of a service each fault strikes."""

DISPATCHING = frozenset({"dispatch-2", "firestore", "everything"})
"""What is struck when so much has been fanned out; the rest when so much has been stored."""

EVERYTHING: Action = ("everything", "kill")
"""Once, near the end: no function is left."""

ROTATIONS: Sequence[Action] = (
    ("signing-secret", "overlap"),
    ("ed25519", "keep"),
    ("jwks", "refuse"),
    ("signing-secret", "revoke"),
    ("rsa", "keep"),
    ("ed25519", "retire"),
    ("rsa", "retire"),
)
"""One round of what Gemini does to its keys."""


def spread(actions: Sequence[Action], rounds: int, total: int) -> list[tuple[int, Action]]:
    """Spread so many rounds over the middle of `total`: pairs of a count and what to do then."""
    all_actions = list(actions) * rounds
    first, last = total * 0.05, total * 0.85
    step = (last - first) / max(1, len(all_actions) - 1)
    return [(round(first + step * number), each) for number, each in enumerate(all_actions)]


def rounds(deliveries: int) -> int:
    """Return how many rounds suit so many deliveries."""
    return max(1, deliveries // 12_000)
