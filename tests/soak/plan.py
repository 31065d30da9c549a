"""What Gemini sends, from a seed: events, what comes again, and what is hostile.

Pure, so that whoever sends and whoever checks work it out for themselves.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from localcloud.gemini.catalogue import TYPES, envelope, example_data
from localcloud.gemini.forge import FORGERIES, Forgery
from localcloud.gemini.outgoing import token_event_id
from localcloud.gemini.settings import Scheme
from localcloud.gemini.signing import event_claims

Hostility = Forgery | Literal["garbage", "oversize"]
HOSTILITIES: tuple[Hostility, ...] = (*FORGERIES, "garbage", "oversize")

# Tokens are dear to sign, and this machine signs them all.
_SCHEMES: tuple[Scheme, ...] = ("v1", "v1", "v1", "v1a", "v1a", "v1a", "mixed", "jwt")
_TEAMS = ("blue", "red", None)

# Of twenty deliveries fifteen are new, four come again and one is hostile.
_BLOCK = ("new",) * 15 + ("again",) * 4 + ("hostile",)
_NEAR = 20

_BEGAN = 1_790_000_000

BLUE_TOPIC = "gemini-webhooks-route-blue"
FAILURES_TOPIC = "gemini-webhooks-route-failures"
ROUTES = json.dumps(
    [
        {"name": "blue", "types": ["batch.*"], "metadata": {"team": "blue"}, "topic": BLUE_TOPIC},
        {"name": "failures", "types": ["*.failed"], "topic": FAILURES_TOPIC},
    ]
)
"""The dispatcher's `ROUTES`."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event, and by what `ROUTES` says the names of the routes that must have it."""

    id: str
    type: str
    scheme: Scheme
    body: bytes
    routes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery; `hostility` says how it is spoilt, `repeated` that its event came before."""

    event: Event
    hostility: Hostility | None = None
    repeated: bool = False


def event(seed: int, number: int, name: str = "evt") -> Event:
    """Return the event of that number, always the same."""
    chance = random.Random(f"{seed}/{name}/{number}")  # noqa: S311 - not a secret
    identifier = f"{name}_{seed}_{number}"
    event_type, team = chance.choice((*TYPES, "something.new")), chance.choice(_TEAMS)
    scheme = chance.choice(_SCHEMES)
    # The id in the body tells an event that bears another's id.
    data = example_data(event_type, identifier)
    # A token holds its event, and its header is bounded.
    if name == "evt" and scheme != "jwt" and chance.random() < 0.02:
        data["note"] = "ü" * chance.randrange(30_000)
    metadata = {"team": team} if team else None
    routes = {"events"}
    if team == "blue" and event_type.startswith("batch."):
        routes.add("blue")
    if event_type.endswith(".failed"):
        routes.add("failures")
    body = envelope(event_type, data, now=_BEGAN, user_metadata=metadata)
    if scheme == "jwt":
        identifier = token_event_id(event_claims(body))
    return Event(identifier, event_type, scheme, body, frozenset(routes))


def deliveries(count: int, seed: int) -> Iterator[Delivery]:
    """Yield that many deliveries: a fifth come again, one in twenty is hostile."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    new = hostile = 0
    block: list[str] = []
    for _ in range(count):
        if not block:
            block = chance.sample(_BLOCK, len(_BLOCK))
        kind = block.pop()
        if kind == "again" and not new:
            # Nothing came yet.
            kind = "new"
            block[block.index(kind)] = "again"
        if kind == "hostile":
            hostility = HOSTILITIES[hostile % len(HOSTILITIES)]
            yield Delivery(event(seed, hostile, "hostile"), hostility)
            hostile += 1
        elif kind == "again":
            yield Delivery(event(seed, _earlier(chance, new)), repeated=True)
        else:
            yield Delivery(event(seed, new))
            new += 1


def events(count: int, seed: int) -> Iterator[Event]:
    """Yield every genuine event of so many deliveries, once."""
    return (each.event for each in deliveries(count, seed) if not (each.hostility or each.repeated))


def _earlier(chance: random.Random, new: int) -> int:
    # Half of them while the first is hardly done with, half from any time.
    nearest = max(0, new - _NEAR) if chance.random() < 0.5 else 0
    return chance.randrange(nearest, new)


STATUSES: dict[Hostility, frozenset[int]] = {
    **dict.fromkeys(get_args(Forgery), frozenset({401})),
    "missing-header": frozenset({400}),
    "garbage": frozenset({400, 401}),
    "oversize": frozenset({413}),
}
"""How each kind of hostility must be answered."""
