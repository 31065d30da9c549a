"""`v1a`: Ed25519 over the same bytes as `v1`, by one of several published keys."""

import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING

from relay.delivery import Delivery
from relay.signatures.base import Outcome, Verified

if TYPE_CHECKING:
    # Brings cryptography along, which nobody needs before there is a key.
    from relay.signatures.keyset import KeySet


class AsymmetricScheme:
    """Verifies `v1a` entries. They name no key, so each one is tried."""

    name = "v1a"

    def verify(
        self, delivery: Delivery, entries: Sequence[bytes], keys: "KeySet"
    ) -> Verified | Outcome:
        """Return what the first entry that verifies vouches for, or why none does."""
        outcome = Outcome.INVALID
        for entry in entries:
            signature = _decode(entry)
            if signature is not None:
                if keys.signed(delivery.signed, signature):
                    return Verified(self.name, delivery.id, delivery.timestamp, delivery.body)
                outcome = Outcome.UNKNOWN_KEY
        return outcome


def _decode(entry: bytes) -> bytes | None:
    try:
        signature = binascii.a2b_base64(entry, strict_mode=True)
    except binascii.Error:
        return None
    return signature if len(signature) == 64 else None
