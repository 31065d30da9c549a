"""Identifiers the way Gemini makes them."""

import secrets
import string
import uuid

_ALPHABET = string.ascii_lowercase + string.digits
_BASE64URL = string.ascii_letters + string.digits + "-_."


def new_id(length: int = 36) -> str:
    """Return a random identifier: opaque, lower case, without structure."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_interaction_id() -> str:
    """Return `v1_` and 67 characters, in which case counts, with `-`, `_` and `.` among them."""
    letters = [secrets.choice(_BASE64URL) for _ in range(62)] + ["-", "_", "."]
    secrets.SystemRandom().shuffle(letters)
    # Neither end is a character that a client might strip.
    return f"v1_C{''.join(letters)}g"


def new_webhook_id() -> str:
    """Return the `webhook-id` of an event."""
    return f"msg_{uuid.uuid4()}"
