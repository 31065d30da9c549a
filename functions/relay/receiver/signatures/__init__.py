"""The signature schemes: one class for each, without I/O; the verifier chooses the keys.

Imports `relay.keys`, and of the receiver only `delivery`.
"""

from relay.receiver.signatures.base import Outcome, Scheme, Verified

__all__ = ["Outcome", "Scheme", "Verified"]
