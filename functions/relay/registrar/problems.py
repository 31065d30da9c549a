"""The registrar's errors, each with the status and the reason that its caller gets.

A reason never holds a signing secret or the API key, and these errors never chain what a client
library raised: its exceptions carry the request, headers included.
"""

from relay.errors import GeminiRefused, RelayError, Unavailable


class Problem(RelayError):
    """`status` is the HTTP status to answer, `reason` a sentence for whoever has to fix it."""

    status = 500

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class VaultRefused(Problem):
    """Secret Manager refused a call or did not answer; it may have acted."""

    status = 502


class NotRegistered(Problem):
    """There is no webhook, or none whose secret is stored, to do this with."""

    status = 409


class BadRequest(Problem):
    """The request is not one that the registrar understands."""

    status = 400


class Busy(Problem):
    """Another request holds the lease; a retry helps."""

    status = 503


FAILURES = (Problem, GeminiRefused, Unavailable)
"""What the work for a request may end with: each has a `reason`."""
