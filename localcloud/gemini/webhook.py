"""One registered webhook: its fields, its signing secrets and how the API shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from localcloud.gemini.catalogue import SUBSCRIBABLE, rfc3339
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.signing import new_secret
from localcloud.gemini.uris import check_uri

State = Literal["enabled", "disabled", "disabled_due_to_failed_deliveries"]
UPDATABLE = ("name", "uri", "subscribed_events", "state")

# More secrets than this in one overlap would only make the signature header grow.
_KEPT_SECRETS = 16


@dataclass
class Secret:
    """A signing secret, and the Unix time at which it stops signing (None: it does not)."""

    value: str
    expires_at: float | None = None

    def active(self, now: float) -> bool:
        """Return whether it still signs."""
        return self.expires_at is None or now < self.expires_at


@dataclass
class Webhook:
    """A registered webhook, the `number`-th that was created. Times are Unix seconds."""

    id: str
    number: int
    name: str | None
    uri: str
    subscribed_events: list[str]
    created: float
    updated: float
    state: State = "enabled"
    secrets: list[Secret] = field(default_factory=lambda: [Secret(new_secret())])
    failed_attempts: int = 0
    deleted: bool = False

    def receives(self, event_type: str) -> bool:
        """Return whether an event of that type is delivered to it now."""
        return self.state == "enabled" and event_type in self.subscribed_events

    def active_secrets(self, now: float) -> list[str]:
        """Return the secrets that sign at that time, newest first."""
        return [secret.value for secret in self.secrets if secret.active(now)]

    def rotate(self, now: float, overlap_seconds: float) -> str:
        """Add a new secret and return it; the others sign for that much longer."""
        kept = [secret for secret in self.secrets if secret.active(now) and overlap_seconds > 0]
        for secret in kept:
            secret.expires_at = min(secret.expires_at or float("inf"), now + overlap_seconds)
        new = Secret(new_secret())
        self.secrets = [new, *kept][:_KEPT_SECRETS]
        self.updated = now
        return new.value

    def apply(self, changes: Mapping[str, Any], now: float) -> None:
        """Set the fields named in `changes`, all of them or, when one is wrong, none."""
        checked = {name: _CHECKS[name](value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)
        if checked.get("state") == "enabled":
            self.failed_attempts = 0
        self.updated = now

    def describe(self, now: float, *, with_times: bool) -> dict[str, Any]:
        """Return the resource as the API shows it."""
        shown: dict[str, Any] = {"id": self.id}
        if self.name is not None:
            shown["name"] = self.name
        shown |= {
            "uri": self.uri,
            "subscribed_events": list(self.subscribed_events),
            "state": self.state,
            "signing_secrets": [
                _describe_secret(secret, with_times=with_times)
                for secret in self.secrets
                if secret.active(now)
            ],
        }
        if with_times:
            shown |= {
                "create_time": rfc3339(self.created),
                "update_time": rfc3339(self.updated),
            }
        return shown


def _describe_secret(secret: Secret, *, with_times: bool) -> dict[str, str]:
    shown = {"truncated_secret": f"whsec_...{secret.value[-4:]}"}
    if with_times and secret.expires_at is not None:
        shown["expire_time"] = rfc3339(secret.expires_at)
    return shown


def check_name(value: object) -> str | None:
    """Return a webhook's name; it may be absent."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 256:
        raise GoogleError(400, "name must be a string of at most 256 characters.")
    return value


def check_events(value: object) -> list[str]:
    """Return the events subscribed to, each one of the API's enum."""
    if not isinstance(value, list) or not value:
        raise GoogleError(400, "subscribed_events must name at least one event.")
    for event in value:
        if event not in SUBSCRIBABLE:
            raise GoogleError(400, f"Invalid value at 'subscribed_events': {event!r}.")
    return list(dict.fromkeys(value))


def check_state(value: object) -> State:
    """Return a state that a caller may set."""
    if value == "enabled":
        return "enabled"
    if value == "disabled":
        return "disabled"
    raise GoogleError(400, f"Invalid value at 'state': {value!r}.")


_CHECKS = {
    "name": check_name,
    "uri": check_uri,
    "subscribed_events": check_events,
    "state": check_state,
}
