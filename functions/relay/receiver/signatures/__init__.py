"""Is this delivery Gemini's? One class per kind of signature; nothing here does I/O.

A scheme looks at all entries of its kind with the keys that it is given. Which keys those are,
and when to ask for newer ones, is the business of `relay.receiver.verifier`.
"""

from relay.receiver.signatures.base import Outcome, Scheme, Verified

__all__ = ["Outcome", "Scheme", "Verified"]
