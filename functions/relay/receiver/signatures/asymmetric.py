"""`v1a`: Ed25519 over the same bytes as `v1`, by one of several published keys."""

import binascii
from collections.abc import Sequence

from relay.keys.keyset import KeySet
from relay.receiver.delivery import Delivery
from relay.receiver.signatures.base import Outcome, Verified

MAX_TRIED = 4
"""Each well-formed entry is checked with every key, over the whole body: the most expensive work
that a forgery can cause. Gemini sends one entry."""


class AsymmetricScheme:
    """Verifies `v1a` entries, the first few. They name no key, so each one is tried."""

    name = "v1a"

    def verify(
        self, delivery: Delivery, entries: Sequence[bytes], keys: KeySet
    ) -> Verified | Outcome:
        """Return what the first entry that verifies proves, or why none does."""
        signatures = [found for entry in entries if (found := _decode(entry)) is not None]
        for signature in signatures[:MAX_TRIED]:
            if keys.signed(delivery.signed, signature):
                return Verified(self.name, delivery.id, delivery.timestamp, delivery.body)
        return Outcome.UNKNOWN_KEY if signatures else Outcome.INVALID


def _decode(entry: bytes) -> bytes | None:
    try:
        signature = binascii.a2b_base64(entry, strict_mode=True)
    except binascii.Error:
        return None
    return signature if len(signature) == 64 else None
