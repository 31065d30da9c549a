"""The account of a campaign: what was sent, how it was answered, and what must not be so."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from relay.keys.jwks import JWKS_PACE
from relay.keys.signing_secret import SECRET_PACE
from relay.receiver.refusals import PERIOD
from tests.hostile.attacks import UNFRAMED
from tests.hostile.endless import PATIENCE, STATES

_REFUSALS = {"400", "401", "403", "404", "405", "408", "413", "414", "417", "426", "431", "503"}
_REASONS = 16
_MOST_TIMES_IDLE = 2.0
_MOST_GROWTH = 32.0
# For a curve rather than a start.
_SAMPLES_FOR_GROWTH = 40


@dataclass
class Account:
    """Facts of one campaign; `problems` says which of the promises they break."""

    sent: int = 0
    seconds: float = 0.0
    answers: Mapping[str, Counter[str]] = field(default_factory=dict)
    received: Sequence[str] = ()
    hung: Sequence[str] = ()
    honest: Counter[str] = field(default_factory=Counter)
    honest_failed: set[str] = field(default_factory=set)
    honest_stored: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    """Ids of all messages that reached the ingress topic."""
    slow_open: int = 0
    slow_ended: int = 0
    endless_ended: Counter[str] = field(default_factory=Counter)
    """Connections that their clients never end, by state, which the receiver ended."""
    endless_seconds: float = 0.0
    """The longest that one of them lasted."""
    endless_forever: set[str] = field(default_factory=set)
    endless_failed: set[str] = field(default_factory=set)
    jwks_fetches: int = 0
    secret_loads: int = 0
    log_lines: int = 0
    tracebacks: Sequence[str] = ()
    mebibytes: Sequence[float] = ()

    def statuses(self) -> Counter[str]:
        """Return how often each status was answered to an attack."""
        return sum(self.answers.values(), Counter())

    def growth(self) -> float:
        """Return by how many MiB the last quarter of the samples lies above the second."""
        quarter = len(self.mebibytes) // 4
        early, late = self.mebibytes[quarter : 2 * quarter], self.mebibytes[-quarter:]
        return sorted(late)[len(late) // 2] - sorted(early)[len(early) // 2]

    def problems(self) -> list[str]:
        """Return what is wrong, empty if everything holds."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        for kind, answers in self.answers.items():
            for status in answers:
                if not _allowed(kind, status):
                    yield f"{kind}: answered {status}"
        yield from (f"{kind}: answered as though stored" for kind in sorted(set(self.received)))
        yield from (f"{kind}: no answer, and no end" for kind in sorted(set(self.hung)))
        yield from self.tracebacks
        if self.honest_failed or not self.honest_stored:
            yield f"honest deliveries that failed: {sorted(self.honest_failed) or 'all'}"
        if unverified := self.published - self.honest_stored:
            yield f"published, and nobody honest sent it: {sorted(unverified)[:5]}"
        if lost := self.honest_stored - self.published:
            yield f"acknowledged, and not published: {sorted(lost)[:5]}"
        yield from self._endless()
        yield from self._costs()

    def _endless(self) -> Iterator[str]:
        forever = set(self.endless_forever)
        if self.seconds > PATIENCE:
            forever |= STATES.keys() - self.endless_ended.keys()
        yield from (f"{name}: the connection does not end" for name in sorted(forever))
        yield from (f"{name}: answered 5xx" for name in sorted(self.endless_failed))

    def _costs(self) -> Iterator[str]:
        # A first load, forced ones, and one for the end of a lifetime.
        for name, count, pace in (
            ("JWKS", self.jwks_fetches, JWKS_PACE),
            ("Secret Manager", self.secret_loads, SECRET_PACE),
        ):
            if count > 3 + self.seconds / pace.between_forced + self.seconds / 60:
                yield f"{name} was asked {count} times in {self.seconds:.0f} s"
        if self.log_lines > _REASONS * (2 + self.seconds / PERIOD):
            yield f"{self.log_lines} lines of log in {self.seconds:.0f} s"
        if self.mebibytes and max(self.mebibytes) > _MOST_TIMES_IDLE * self.mebibytes[0]:
            yield f"{max(self.mebibytes):.0f} MiB of memory, and {self.mebibytes[0]:.0f} idle"
        if len(self.mebibytes) >= _SAMPLES_FOR_GROWTH and self.growth() > _MOST_GROWTH:
            yield f"memory grew by {self.growth():.0f} MiB"

    def text(self) -> str:
        """Return the account for a person."""
        first, peak = next(iter(self.mebibytes), 0.0), max(self.mebibytes, default=0.0)
        lines = [
            f"{self.sent:,} hostile requests in {self.seconds:.0f} s",
            *(f"  {kind:<20} {_shown(self.answers[kind])}" for kind in sorted(self.answers)),
            f"  {'all':<20} {_shown(self.statuses())}",
            f"honest deliveries by their first answer: {_shown(self.honest)}",
            f"  stored {len(self.honest_stored):,}, failed {len(self.honest_failed):,}",
            f"slow clients: {self.slow_open} at a time, {self.slow_ended:,} ended by the receiver",
            f"endless connections: {len(STATES)} at a time, {_ended(self.endless_ended)}",
            f"  the longest ended after {self.endless_seconds:.0f} s",
            f"messages in the ingress topic: {len(self.published):,}",
            f"JWKS fetched {self.jwks_fetches} times",
            f"Secret Manager listed {self.secret_loads} times",
            f"memory: {first:.0f} MiB idle, {peak:.0f} MiB at most",
            f"log: {self.log_lines:,} lines",
            *(f"PROBLEM {problem}" for problem in self.problems()),
        ]
        return "\n".join(lines)


def _allowed(kind: str, status: str) -> bool:
    if status in _REFUSALS:
        return True
    # Malformed requests may be cut off; some of the odd ones are a GET, which is a health check.
    return status in {"none", "200"} and kind in UNFRAMED


def _ended(ended: Counter[str]) -> str:
    return f"{ended.total():,} ended by the receiver, in {len(ended)} states"


def _shown(answers: Counter[str]) -> str:
    return json.dumps(dict(sorted(answers.items())))
