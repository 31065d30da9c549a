"""What the schemes have in common."""

import enum
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from relay.receiver.delivery import Delivery

Keys = TypeVar("Keys", contravariant=True)


class Verified(NamedTuple):
    """What a valid signature proves, and nothing else."""

    scheme: str
    id: str
    """Constant across retries: the deduplication key, at most 256 printable ASCII characters."""
    timestamp: int
    """When it was signed, in Unix seconds."""
    body: bytes
    """The event, byte for byte as signed (for a token without a body: its claims as JSON)."""


class Outcome(enum.Enum):
    """Why no entry verified."""

    INVALID = enum.auto()
    """No key can verify these entries."""
    UNKNOWN_KEY = enum.auto()
    """Well formed, but signed by none of the keys given; newer keys may verify them."""


class Scheme(Protocol[Keys]):
    """One kind of signature."""

    name: str
    """The value of the `scheme` attribute."""

    def verify(
        self, delivery: Delivery, entries: Sequence[bytes], keys: Keys
    ) -> Verified | Outcome:
        """Return what the first entry that verifies proves, or why none does.

        `entries` are the values of this kind, as received. Raises nothing, whatever the entries,
        the body and the identifier hold.
        """
        ...
