"""What keeps the registrar from its work, each with the status and reason that its caller gets.

A reason never holds a signing secret or the API key, and these errors never chain what a client
library raised: its exceptions carry the request, headers included.
"""

import re

from relay.errors import RelayError

_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_\-]+")
_LONGEST = 500


class Problem(RelayError):
    """`status` is the HTTP status to answer, `reason` a sentence for whoever has to mend it."""

    status = 500

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GeminiRefused(Problem):
    """Gemini refused a call, or gave no answer that could be understood; it may have acted."""

    status = 502


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
    """Another request holds the lease; trying again helps."""

    status = 503


def redacted(text: str, api_key: str) -> str:
    """Return a text from outside without secrets, at most 500 characters of it, on one line."""
    shown = _SECRET.sub("whsec_…", text.replace(api_key, "…") if api_key else text)
    return " ".join(shown.split())[:_LONGEST]
