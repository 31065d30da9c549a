"""The registrar's state: one document, which only the holder of its lease writes.

Gemini shows a signing secret once. So the intention to request one is written before the request,
and cleared when the secret is stored: a request that finds it knows that a secret may be lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

AFTER_A_DAY = "revoke_previous_secrets_after_h24"
AT_ONCE = "revoke_previous_secrets_immediately"
BEHAVIORS = (AFTER_A_DAY, AT_ONCE)

OVERLAP = timedelta(hours=24)

# A document is bounded; the list finds the versions left out when the next secret is stored.
_MOST_RETIRING = 200

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """What the document holds; times are UTC.

    `pending` is the revocation behaviour of the secret that was asked for and is not known to be
    stored; empty when there is none. `secret_version` is the newest stored version, `stored_at`
    its time. `retiring` holds the older versions, and when each is to be disabled. `held` marks the
    generation for which DELETE keeps the webhook absent. `problem` says why `problem_generation`
    was not reached.
    """

    webhook_id: str = ""
    pending: str = ""
    secret_version: int = 0
    stored_at: datetime = _LONG_AGO
    retiring: Mapping[int, datetime] = field(default_factory=dict)
    ping_due: bool = False
    generation: str | None = None
    held: str | None = None
    problem: str = ""
    problem_generation: str | None = None

    def lacks_secret(self, webhook_id: str) -> bool:
        """Say whether the secret that signs for a webhook may not be stored."""
        return bool(self.pending) or self.webhook_id != webhook_id or self.secret_version == 0

    def asking(self, webhook_id: str, behavior: str) -> "State":
        """Return the state before a secret is asked for.

        That secrets are to be revoked at once stays so until a rotation is known to have done it.
        """
        pending = AT_ONCE if self.pending == AT_ONCE else behavior
        return replace(self, webhook_id=webhook_id, pending=pending, ping_due=True)

    def stored(
        self, webhook_id: str, version: int, now: datetime, enabled: Iterable[int]
    ) -> "State":
        """Return the state once the secret that was asked for is stored as `version`.

        All that came before retire: those remembered, those listed as `enabled`, and those in
        between, which belong to answers that were lost.
        """
        until = now if self.pending == AT_ONCE else now + OVERLAP
        between = range(self.secret_version or version, version)
        older = {*self.retiring, *between, *(number for number in enabled if number < version)}
        return replace(
            self,
            webhook_id=webhook_id,
            pending="",
            secret_version=version,
            stored_at=now,
            retiring=self._until(older, until),
        )

    def due(self, now: datetime) -> list[int]:
        """Return the versions whose overlap has passed, oldest first."""
        return sorted(number for number, until in self.retiring.items() if until <= now)

    def retired(self, numbers: Iterable[int]) -> "State":
        """Return the state once these versions are disabled."""
        gone = set(numbers)
        kept = {number: until for number, until in self.retiring.items() if number not in gone}
        return replace(self, retiring=kept)

    def _until(self, numbers: Iterable[int], until: datetime) -> dict[int, datetime]:
        newest = sorted(numbers)[-_MOST_RETIRING:]
        return {number: min(until, self.retiring.get(number, until)) for number in newest}


def to_fields(state: State) -> dict[str, Any]:
    """Return the state as a document's fields."""
    fields = {**vars(state)}
    fields["retiring"] = {str(number): until for number, until in state.retiring.items()}
    return fields


def from_fields(fields: Mapping[str, Any]) -> State:
    """Read a document's fields; one that is missing is at its beginning."""
    known = {name: fields[name] for name in vars(State()) if name in fields}
    if "retiring" in known:
        known["retiring"] = {int(number): until for number, until in known["retiring"].items()}
    return State(**known)
