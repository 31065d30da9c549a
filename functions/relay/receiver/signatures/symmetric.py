"""`v1`: HMAC-SHA256 with a shared signing secret.

The library's `Webhook` is not used, since it verifies and signs text, with one secret:
docs/decisions/0003-webhook-verify-is-not-used.md.
"""

import binascii
import hmac
from collections.abc import Sequence

from standardwebhooks.webhooks import hmac_data

from relay.receiver.delivery import Delivery
from relay.receiver.signatures.base import Outcome, Verified


class SymmetricScheme:
    """Verifies `v1` entries; the keys are the active secrets, newest first."""

    name = "v1"

    def verify(
        self, delivery: Delivery, entries: Sequence[bytes], keys: Sequence[bytes]
    ) -> Verified | Outcome:
        """Return what the first entry that verifies proves, or why none does."""
        for key in keys:
            # Comparing the base64 text accepts one encoding only, not every one that decodes alike.
            expected = binascii.b2a_base64(hmac_data(key, delivery.signed), newline=False)
            for entry in entries:
                if hmac.compare_digest(expected, entry):
                    return Verified(self.name, delivery.id, delivery.timestamp, delivery.body)
        return Outcome.UNKNOWN_KEY
