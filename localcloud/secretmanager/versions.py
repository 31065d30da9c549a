"""One version of a secret: its payload, its state, and its earlier states for lagging lists."""

from dataclasses import dataclass, field

import google_crc32c
from google.cloud.secretmanager_v1.types import SecretVersion as _Version

from localcloud.core.raw import micros, timestamp
from localcloud.core.statuses import failed_precondition, invalid
from localcloud.secretmanager.messages import SecretPayload, SecretVersion

MAX_PAYLOAD_BYTES = 64 * 1024

ENABLED, DISABLED, DESTROYED = (
    int(_Version.State.ENABLED),
    int(_Version.State.DISABLED),
    int(_Version.State.DESTROYED),
)
STATE_NAMES = {ENABLED: "ENABLED", DISABLED: "DISABLED", DESTROYED: "DESTROYED"}


@dataclass
class Version:
    """A version as it is stored; times in microseconds.

    `past` holds the states before each change, for lists that lag.
    """

    number: int
    message: SecretVersion
    payload: bytes
    past: list[tuple[int, SecretVersion]] = field(default_factory=list)

    @property
    def state(self) -> int:
        """The state now."""
        return int(self.message.state)

    def access(self) -> SecretPayload:
        """Return the payload; FAILED_PRECONDITION unless the version is enabled."""
        if self.state != ENABLED:
            raise self.refusal()
        return SecretPayload(data=self.payload, data_crc32c=google_crc32c.value(self.payload))

    def change(self, state: int, now: int, etag: str) -> None:
        """Enable or disable; FAILED_PRECONDITION once it is destroyed."""
        if self.state == DESTROYED:
            raise self.refusal()
        message = self._supersede(now, etag)
        message.state = state

    def destroy(self, now: int, etag: str) -> None:
        """Wipe the payload; FAILED_PRECONDITION the second time."""
        if self.state == DESTROYED:
            raise self.refusal()
        message = self._supersede(now, etag)
        message.state = DESTROYED
        message.destroy_time.CopyFrom(timestamp(now))
        self.payload = b""

    def as_of(self, time: int) -> SecretVersion | None:
        """Return the version as it was at a time, None before its creation."""
        if micros(self.message.create_time) > time:
            return None
        return next((before for changed, before in self.past if changed > time), self.message)

    def refusal(self) -> Exception:
        """Return the refusal to use the version in its present state."""
        state = STATE_NAMES[self.state]
        return failed_precondition(f"Secret Version [{self.message.name}] is in {state} state.")

    def _supersede(self, now: int, etag: str) -> SecretVersion:
        self.past.append((now, self.message))
        changed = SecretVersion()
        changed.CopyFrom(self.message)
        changed.etag = etag
        self.message = changed
        return changed


def check_payload(payload: SecretPayload) -> None:
    """Refuse a payload that is too large or does not match its checksum."""
    if len(payload.data) > MAX_PAYLOAD_BYTES:
        raise invalid(
            f"The payload of {len(payload.data)} bytes exceeds the maximum of "
            f"{MAX_PAYLOAD_BYTES} bytes."
        )
    if payload.HasField("data_crc32c") and payload.data_crc32c != google_crc32c.value(payload.data):
        raise invalid("The payload's data_crc32c does not match its data.")
